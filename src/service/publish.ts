/**
 * Publish: messages through an exchange to the queues that its bindings name.
 *
 * Messages of one call that go to the same queue are sent there together, so that each lane gets one
 * entry; queues are sent to at the same time.
 *
 * I1  One message, one id: its place where it goes to one queue, a name of its own where it goes to
 *     several; the copies' places are in the answer.
 * I2  What a queue would refuse of a message is found before any queue gets it.
 * I3  Every message gets its own answer, and an error says which queues have it all the same.
 */
import { createHash } from "node:crypto";
import { DEFAULT_DEDUP, dedupOf, fingerprint } from "../core/dedup.ts";
import { isLaneError, LaneError } from "../core/errors.ts";
import type { Exchange } from "../core/exchange.ts";
import { LIMITS } from "../core/limits.ts";
import { messageBytes } from "../core/message.ts";
import type { OutgoingMessage } from "../core/message.ts";
import type { RouteInput, Routed } from "../core/route.ts";
import { contentErrors } from "../core/transform.ts";
import type { EpochMs, ExchangeName, QueueName } from "../core/types.ts";
import type { PublishResult, SendResult } from "./api.ts";
import type { Catalog } from "./catalog.ts";
import { randomId } from "./deps.ts";
import type { Choices } from "./choices.ts";
import type { Deps } from "./deps.ts";
import type { Routing } from "./routing.ts";
import { checkSchedules } from "./send-checks.ts";
import type { Sender } from "./send.ts";

/** How long dedup ids are remembered, where that is more than a queue's window. */
interface Remember {
  readonly rememberSeconds?: number;
}

interface Copy {
  readonly queue: QueueName;
  readonly message: OutgoingMessage;
  result: SendResult | undefined;
}

interface Published {
  readonly token: string;
  readonly copies: readonly Copy[];
  readonly refused: LaneError | undefined;
}

export class Publisher {
  readonly #deps: Deps;
  readonly #catalog: Catalog;
  readonly #routing: Routing;
  readonly #choices: Choices;
  readonly #sender: Sender;
  readonly #turns = new Map<string, number>();

  constructor(deps: Deps, catalog: Catalog, routing: Routing, choices: Choices, sender: Sender) {
    this.#deps = deps;
    this.#catalog = catalog;
    this.#routing = routing;
    this.#choices = choices;
    this.#sender = sender;
  }

  /** @throws LaneError `exchange-not-found`, `invalid-request`; the store's, where nothing was stored. */
  async publish(
    name: ExchangeName,
    given: readonly OutgoingMessage[],
    { idempotencyKey: key, ...remember }: { idempotencyKey?: string } & Remember = {},
  ): Promise<readonly PublishResult[]> {
    checkSchedules(given, this.#deps.clock.now());
    const messages = key === undefined ? given : repeatable(name, key, given);
    const { settings } = await this.#routing.exchange(name);
    const inputs = messages.map((message) => this.#inputOf(name, message));
    const found = await this.#routing.route(inputs);
    if (key !== undefined)
      await this.#choices.claim(name, key, fingerprint(given), await this.#rememberedUntil(found));
    const routed = await this.#chosen(inputs, messages, found);
    const published = await Promise.all(
      routed.map((one, index) =>
        this.#copies(inputs[index] as RouteInput, messages[index] as OutgoingMessage, one),
      ),
    );
    await this.#send(
      published.flatMap(({ copies }) => copies),
      remember,
    );
    const lost = published.filter(({ copies, refused }) => copies.length === 0 && !refused).length;
    if (lost > 0) this.#deps.onEvent?.({ type: "unroutable", exchange: name, messages: lost });
    return published.map((one) => answer(one, settings.mandatory));
  }

  #inputOf(exchange: ExchangeName, message: OutgoingMessage): RouteInput {
    const { dedupId, routingKey = "" } = message;
    // A message that may come again is named by its dedup id, and takes nobody's turn.
    const draw =
      dedupId === undefined
        ? { token: randomId(this.#deps, 16), turn: (one: Exchange) => this.#turn(one.exchangeId) }
        : { token: tokenOf(exchange, dedupId) };
    return { exchange, routingKey, content: message, draw };
  }

  /** A message that may come again goes where it went the first time, whatever balance exchanges say by now. */
  async #chosen(
    inputs: readonly RouteInput[],
    messages: readonly OutgoingMessage[],
    routed: readonly Routed[],
  ): Promise<readonly Routed[]> {
    return Promise.all(
      routed.map(async (one, index) => {
        const [input, message] = [inputs[index], messages[index]];
        const { dedupId } = message ?? {};
        if (!one.isChosen || input === undefined || dedupId === undefined) return one;
        const until = await this.#rememberedUntil([one]);
        return this.#choices.kept(input, one, `publish#${dedupId}`, until);
      }),
    );
  }

  /** Seconds since 1970: as long as the queues know their copies. */
  async #rememberedUntil(routed: readonly Routed[]): Promise<number> {
    const queues = new Set(routed.flatMap((one) => [...one.queues.keys()]));
    const records = await Promise.all([...queues].map(async (queue) => this.#catalog.get(queue)));
    const windows = records.map(({ settings }) => dedupOf(settings).windowSeconds);
    const windowMs = Math.max(DEFAULT_DEDUP.windowSeconds, ...windows) * 1000;
    return Math.ceil((this.#deps.clock.now() + windowMs + LIMITS.dedupSpareMs) / 1000);
  }

  /** Begins anywhere, so that instances that begin at the same time do not keep step. */
  #turn(exchangeId: string): number {
    const turn = this.#turns.get(exchangeId) ?? Math.floor(this.#deps.random() * 0x40000000);
    this.#turns.set(exchangeId, turn + 1);
    return turn;
  }

  async #copies(
    input: RouteInput,
    message: OutgoingMessage,
    { queues }: Routed,
  ): Promise<Published> {
    const { token } = input.draw;
    // A scheduled copy is known by its timer.
    const isScheduled = message.delaySeconds !== undefined || message.deliverAt !== undefined;
    const id = queues.size > 1 && !isScheduled ? { id: `m-${token}` } : {};
    const origin = { exchange: input.exchange, routingKey: input.routingKey };
    const copies: Copy[] = [];
    for (const [queue, content] of queues) {
      const copy = { ...message, ...content, ...origin, ...id };
      const refused = content === message ? undefined : contentErrors(content)[0]?.message;
      const { maxMessageBytes } = (await this.#catalog.get(queue)).settings;
      const bytes = messageBytes(copy);
      const reason =
        bytes > maxMessageBytes
          ? `is ${bytes} bytes with its headers; queue "${queue}" takes ${maxMessageBytes}`
          : refused && `would have headers that ${refused} in queue "${queue}"`;
      if (reason !== undefined) {
        const error = new LaneError("message-too-large", `The message ${reason}.`);
        return { token, copies: [], refused: error };
      }
      copies.push({ queue, message: copy, result: undefined });
    }
    return { token, copies, refused: undefined };
  }

  async #send(copies: readonly Copy[], remember: Remember): Promise<void> {
    const byQueue = new Map<QueueName, Copy[]>();
    for (const copy of copies) {
      const others = byQueue.get(copy.queue);
      if (others === undefined) byQueue.set(copy.queue, [copy]);
      else others.push(copy);
    }
    await Promise.all(
      [...byQueue].map(async ([queue, group]) => {
        const results = await this.#resultsOf(
          queue,
          group.map(({ message }) => message),
          remember,
        );
        for (const [index, copy] of group.entries()) copy.result = results[index];
      }),
    );
  }

  /** I3: what fails for a whole queue fails for each of its messages. */
  async #resultsOf(
    queue: QueueName,
    messages: readonly OutgoingMessage[],
    remember: Remember,
  ): Promise<readonly SendResult[]> {
    try {
      return await this.#sender.send(queue, messages, remember);
    } catch (error) {
      if (!isLaneError(error)) throw error;
      const { code, message: detail, retryable } = error;
      return messages.map(() => ({ error: { code, detail, retryable } }));
    }
  }
}

/** Under an idempotency key a message is known by its place in the request, where it has no dedup id. */
const repeatable = (
  exchange: string,
  key: string,
  messages: readonly OutgoingMessage[],
): readonly OutgoingMessage[] =>
  messages.map((message, index) => ({
    dedupId: `publish#${tokenOf(exchange, `${index}#${key}`)}`,
    ...message,
  }));

/** As long as a random one. */
const tokenOf = (exchange: string, dedupId: string): string =>
  createHash("sha256").update(`${exchange}\n${dedupId}`).digest("hex").slice(0, 24);

type Failure = Extract<SendResult, { readonly error: unknown }>["error"];

function answer({ copies, refused }: Published, mandatory: boolean): PublishResult {
  if (refused !== undefined) {
    const { code, message: detail, retryable } = refused;
    return { error: { code, detail, retryable } };
  }
  if (copies.length === 0) return mandatory ? { unroutable: true } : { queues: [] };
  const places: Record<string, string> = {};
  const failed: { readonly queue: QueueName; readonly error: Failure }[] = [];
  let isDuplicate = true;
  let deliverAt: EpochMs | undefined;
  for (const { queue, result } of copies) {
    if (result === undefined) continue;
    if ("error" in result) {
      failed.push({ queue, error: result.error });
      continue;
    }
    places[queue] = result.id;
    isDuplicate &&= result.duplicate === true;
    deliverAt ??= result.deliverAt;
  }
  const stored = {
    id: copies[0]?.message.id ?? Object.values(places)[0] ?? "",
    queues: Object.keys(places),
    ...(copies.length > 1 ? { places } : {}),
    ...(deliverAt === undefined ? {} : { deliverAt }),
  };
  const [first] = failed;
  if (first === undefined) return { ...stored, ...(isDuplicate ? { duplicate: true } : {}) };
  const detail = failed.map(({ queue, error }) => `${queue}: ${error.detail}`).join(" ");
  if (stored.queues.length === 0) {
    // "May have been stored" is true of the whole as soon as it is of one queue.
    const worst = failed.find(({ error }) => error.code === "outcome-unknown") ?? first;
    return { error: { ...worst.error, detail } };
  }
  // With a dedup id the queues that have it already are not given it again.
  const retryable = copies.every(({ message }) => message.dedupId !== undefined);
  return { ...stored, error: { code: "publish-incomplete", detail, retryable } };
}
