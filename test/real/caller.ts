/** One caller of a service that may die at any time: works over HTTP until it does. */
import { caller } from "../e2e/local-service.ts";
import type { Call, Reply } from "../e2e/local-service.ts";
import type { Random } from "../sim/random.ts";
import { Violation } from "../sim/violation.ts";
import type { Known, Ledger } from "./ledger.ts";

interface Options {
  readonly url: string;
  readonly ledger: Ledger;
  readonly random: Random;
  /** Receipts of all callers, of all lives of the service, with the queue that each is of. */
  readonly held: Map<string, Held>;
  /** A request leaves, or its answer has come. */
  readonly onStep: () => void;
}

export interface Held {
  readonly queue: string;
  readonly message: Known;
}

const LARGE = 300_000;

export class Caller {
  readonly #options: Options;
  readonly #call: Call;

  constructor(options: Options) {
    this.#options = options;
    this.#call = caller(options.url);
  }

  async run(): Promise<void> {
    const { random } = this.#options;
    const acts = [
      () => this.#send(),
      () => this.#send(),
      () => this.#receive(),
      () => this.#receive(),
      () => this.#ack(),
      () => this.#ack(),
      () => (random.chance(0.5) ? this.#release() : this.#redrive()),
    ];
    while (await random.pick(acts)());
  }

  async #send(): Promise<boolean> {
    const { ledger, random } = this.#options;
    const count = random.chance(0.4) ? 1 : random.int(2, 30);
    const messages = Array.from({ length: count }, () =>
      ledger.sending(random.chance(0.01) ? LARGE : random.int(8, 400)),
    );
    const reply = await this.#post("work/messages", {
      messages: messages.map(({ text }) => ({ body: text })),
    });
    if (reply === undefined) return false;
    const answers = (reply.json.messages ?? []) as readonly (
      { readonly id: string } | { readonly error: { readonly code: string } }
    )[];
    messages.forEach((message, index) => {
      const answer = answers[index];
      if (answer !== undefined && "id" in answer) ledger.sent(message, answer.id);
      else if (answer !== undefined && answer.error.code !== "outcome-unknown") message.sent = "no";
    });
    return true;
  }

  async #receive(): Promise<boolean> {
    const { ledger, random, held } = this.#options;
    const queue = random.chance(0.8) ? "work" : "dead";
    const begunAt = performance.now();
    const reply = await this.#post(`${queue}/receive`, {
      max: random.int(1, 60),
      leaseSeconds: random.int(0, 2),
    });
    for (const { id, body, receipt } of reply?.json.messages ?? [])
      held.set(receipt, { queue, message: ledger.delivered(id, String(body), begunAt) });
    return reply !== undefined;
  }

  async #ack(): Promise<boolean> {
    const taken = this.#take();
    for (const { message } of taken.values()) this.#options.ledger.acking(message);
    return this.#change(taken, "ack", {}, ({ message }, status) =>
      this.#options.ledger.acked(message, status),
    );
  }

  #release(): Promise<boolean> {
    return this.#change(this.#take(), "release", {}, () => {});
  }

  async #redrive(): Promise<boolean> {
    return (await this.#post("dead/redrive", { max: 20 })) !== undefined;
  }

  async #change(
    taken: ReadonlyMap<string, Held>,
    what: string,
    more: object,
    each: (held: Held, status: string) => void,
  ): Promise<boolean> {
    const [first] = taken.values();
    if (first === undefined) return true;
    const reply = await this.#post(`${first.queue}/${what}`, {
      receipts: [...taken.keys()],
      ...more,
    });
    const results = reply?.json.results ?? [];
    [...taken.values()].forEach((held, index) => each(held, results[index]?.status ?? "unknown"));
    return reply !== undefined;
  }

  /** Some receipts of one queue; each is used once. */
  #take(): Map<string, Held> {
    const { held, random } = this.#options;
    const most = random.int(1, 40);
    const queue = random.pick(["work", "work", "dead"]);
    const taken = new Map<string, Held>();
    for (const [receipt, one] of held) {
      if (taken.size === most) break;
      // One in ten is forgotten, as by a consumer that died.
      if (random.chance(0.1)) held.delete(receipt);
      else if (one.queue === queue && random.chance(0.7)) taken.set(receipt, one);
    }
    for (const receipt of taken.keys()) held.delete(receipt);
    return taken;
  }

  /** `undefined`: no answer came. */
  async #post(path: string, body: unknown): Promise<Reply | undefined> {
    this.#options.onStep();
    try {
      const reply = await this.#call("POST", `/v1/queues/${path}`, body);
      if (reply.status === 500) throw new Violation("crash", `${path}: ${reply.text}`);
      return reply;
    } catch (error) {
      if (error instanceof TypeError) return undefined;
      throw error;
    } finally {
      this.#options.onStep();
    }
  }
}
