/** A client whose clock and whose service are the test's own. */
import { sleep } from "../../src/client/effects.ts";
import type { Effects } from "../../src/client/effects.ts";
import { LaneMQ } from "../../src/client/index.ts";
import type { LaneMQOptions } from "../../src/client/index.ts";

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  readonly body: { readonly [name: string]: unknown };
  readonly signal: AbortSignal;
  readonly atMs: number;
}

/** What the service answers; an Error: the connection broke. */
export type Reply = Error | Answer;

export interface Answer {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly json?: unknown;
}

export interface World {
  readonly client: LaneMQ;
  readonly asked: Asked[];
  readonly now: () => number;
  /** Lets time pass, timer by timer. */
  readonly pass: (ms: number) => Promise<void>;
}

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

/** Of the world's clock; ends early, with an error, when the caller hangs up. */
type Sleep = (ms: number) => Promise<undefined | Error>;

const sleepOf =
  (effects: Effects, signal: AbortSignal): Sleep =>
  async (ms) => {
    await sleep(effects, ms, signal);
    return signal.aborted ? new DOMException("aborted", "AbortError") : undefined;
  };

/** @param answer may wait, and may look at the signal */
export function world(
  answer: (asked: Asked, sleep: Sleep) => Reply | Promise<Reply>,
  options: LaneMQOptions = {},
): World {
  let nowMs = 0;
  let ids = 0;
  const timers = new Set<Timer>();
  const asked: Asked[] = [];
  const effects: Effects = {
    now: () => nowMs,
    random: () => 0.5,
    newId: () => `id-${++ids}`,
    after: (ms, run) => {
      const timer = { at: nowMs + ms, run };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    fetch: async (input, init = {}) => {
      const { pathname, search } = new URL(typeof input === "string" ? input : "none:");
      const request: Asked = {
        method: init.method ?? "GET",
        path: pathname + search,
        headers: new Headers(init.headers),
        body: typeof init.body === "string" ? JSON.parse(init.body) : {},
        signal: init.signal ?? new AbortController().signal,
        atMs: nowMs,
      };
      asked.push(request);
      const reply = await answer(request, sleepOf(effects, request.signal));
      if (reply instanceof Error) throw reply;
      const { status = 200, headers = {}, json } = reply;
      return new Response(json === undefined ? null : JSON.stringify(json), { status, headers });
    },
  };
  const pass = async (ms: number): Promise<void> => {
    const until = nowMs + ms;
    await settle();
    for (;;) {
      const [next] = [...timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      timers.delete(next);
      nowMs = Math.max(nowMs, next.at);
      next.run();
      await settle();
    }
    nowMs = until;
  };
  const client = new LaneMQ({ telemetry: false, ...options }, effects);
  return { client, asked, now: () => nowMs, pass };
}

/** Lets everything run that waits for nothing but its turn. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Fails as Node's fetch does. */
export const broken = (code = "ECONNRESET"): Error =>
  Object.assign(new TypeError("fetch failed"), {
    cause: Object.assign(new Error(`read ${code}`), { code }),
  });

export const problem = (status: number, code: string, more: object = {}): Answer => ({
  status,
  headers: { "content-type": "application/problem+json", "x-request-id": "request-1" },
  json: { type: "", title: "t", status, detail: `why ${code}`, code, retryable: false, ...more },
});

export const never = (signal: AbortSignal): Promise<Reply> =>
  new Promise((resolve) => {
    const end = (): void => resolve(new DOMException("aborted", "AbortError"));
    if (signal.aborted) end();
    else signal.addEventListener("abort", end);
  });
