/**
 * The way from this thread to the engine in its worker: requests of DynamoDB's protocol as messages
 * between threads, which costs a fraction of a connection.
 *
 * E6  A request that was posted is carried out, whoever still waits for it: a time-out ends the waiting
 *     and says nothing about a write, as on a network.
 * E7  When the worker is gone, whoever waits for it is told so.
 */
import type { RequestHandler } from "../store/dynamodb-client.ts";

/** A request of DynamoDB's protocol: `PutItem`…, with its body. */
export interface EngineCall {
  readonly action: string;
  readonly body: string;
}
export interface EngineAnswer {
  readonly status: number;
  readonly body: string;
}

/** Beside DynamoDB's own: brings all that the engine has taken down to the disk. */
export const SYNC: EngineCall = { action: "Sync", body: "" };

interface Waiting {
  readonly resolve: (answers: readonly EngineAnswer[]) => void;
  readonly reject: (error: Error) => void;
}

export class EnginePort {
  readonly #post: (id: number, calls: readonly EngineCall[]) => void;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #gone: Error | undefined;

  /** `post` hands calls to the worker; their answers come back through `answered`. */
  constructor(post: (id: number, calls: readonly EngineCall[]) => void) {
    this.#post = post;
  }

  /** Somebody waits for it. */
  get isAsked(): boolean {
    return this.#waiting.size > 0;
  }

  /** @throws Error when the engine is gone: before it has answered, or (`ECONNREFUSED`) before it was asked. */
  async call(call: EngineCall): Promise<EngineAnswer> {
    const [answer] = await this.callAll([call]);
    if (answer === undefined) throw new TypeError("the engine answers each call");
    return answer;
  }

  /** In one message: waking the worker costs more than what it does for a call. They run side by side. */
  async callAll(calls: readonly EngineCall[]): Promise<readonly EngineAnswer[]> {
    if (this.#gone !== undefined)
      throw Object.assign(new Error(this.#gone.message), { code: "ECONNREFUSED" });
    const id = (this.#lastId += 1);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#post(id, calls);
    });
  }

  answered(id: number, answers: readonly EngineAnswer[]): void {
    this.#waiting.get(id)?.resolve(answers);
    this.#waiting.delete(id);
  }

  /** Takes no more calls; those under way are still answered. */
  refuse(error: Error): void {
    this.#gone ??= error;
  }

  /** E7 */
  end(error: Error): void {
    this.#gone ??= error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

const decoder = new TextDecoder();

/** For the SDK's client, in place of a connection. */
export function engineHandler(
  call: (call: EngineCall) => Promise<EngineAnswer>,
  requestTimeoutMs: number,
): RequestHandler {
  return {
    async handle({ headers, body }) {
      const target = headers["x-amz-target"] ?? "";
      const action = target.slice(target.indexOf(".") + 1);
      const text = typeof body === "string" ? body : decoder.decode(body as Uint8Array);
      const answer = await within(requestTimeoutMs, call({ action, body: text }));
      return {
        response: {
          statusCode: answer.status,
          headers: { "content-type": "application/x-amz-json-1.0" },
          body: Buffer.from(answer.body),
        },
      };
    },
    destroy() {},
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
  };
}

/** E6 */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const error = new Error(`The storage engine did not answer within ${ms} ms.`);
      reject(Object.assign(error, { name: "TimeoutError" }));
    }, ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
