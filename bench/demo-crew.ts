/** Those who work in the demo: producers and consumers, who know nothing of the service but its URL. */
import type { Earthquake } from "./payloads.ts";

export const SOURCE = "seismic-events";
export const DEAD = "not-earthquakes";
export const MAX_RECEIVES = 3;

const SEND = 50;
const RECEIVE = 40;
/** What a consumer takes for a batch, so that there is something to see. */
const WORK_MS = 30;

export interface Received {
  readonly id: string;
  readonly receipt: string;
  readonly body: Earthquake;
  readonly receives: number;
  readonly deadLetter?: { readonly reason: string; readonly queue: string };
}

/** What the crew did, by the ids of the records. */
export interface Diary {
  sent: number;
  /** How often each record was worked on and its ack was answered with `done`. */
  readonly done: Map<string, number>;
  /** Put back on purpose at their first delivery. */
  readonly released: Set<string>;
  /** Held by a consumer that went away without a word. */
  readonly abandoned: Set<string>;
  /** Refused each time they came; how often. */
  readonly refused: Map<string, number>;
}

export type Call = (path: string, body?: unknown, method?: string) => Promise<unknown>;

export const caller =
  (url: string): Call =>
  async (path, body, method = "POST") => {
    const response = await fetch(`${url}/v1/queues/${path}`, {
      method,
      ...(body === undefined
        ? {}
        : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === "" ? undefined : JSON.parse(text);
  };

/** An explosion or a quarry blast: this crew cannot work on it, however often it comes. */
export const isPoison = ({ properties }: Earthquake): boolean =>
  properties["type"] !== "earthquake";

/** Felt by people: the first look at one fails. */
export const failsAtFirst = (record: Earthquake): boolean =>
  !isPoison(record) && record.properties["felt"] !== null;

export async function produce(
  call: Call,
  records: readonly Earthquake[],
  diary: Diary,
): Promise<void> {
  for (let from = 0; from < records.length; from += SEND) {
    const messages = records.slice(from, from + SEND).map((record) => ({ body: record }));
    const answer = (await call(`${SOURCE}/messages`, { messages })) as {
      messages: { id?: string }[];
    };
    diary.sent += answer.messages.filter(({ id }) => id !== undefined).length;
  }
}

/** Works until the signal fires. */
export async function consume(
  call: Call,
  diary: Diary,
  signal: AbortSignal,
  sleep: (ms: number) => Promise<void>,
): Promise<void> {
  while (!signal.aborted) {
    const messages = await receive(call, SOURCE, { max: RECEIVE, waitSeconds: 1 });
    if (messages.length === 0) continue;
    await sleep(WORK_MS);
    const back = messages.filter(
      ({ body, receives }) => isPoison(body) || (failsAtFirst(body) && receives === 1),
    );
    const worked = messages.filter((message) => !back.includes(message));
    for (const { body } of back) {
      if (isPoison(body)) count(diary.refused, body.id);
      else diary.released.add(body.id);
    }
    const results = await settle(call, "ack", worked);
    worked.forEach(({ body }, index) => {
      if (results[index] === "done") count(diary.done, body.id);
    });
    await settle(call, "release", back);
  }
}

/** Takes a batch on a short lease and is never heard of again. */
export async function crash(call: Call, diary: Diary): Promise<void> {
  const messages = await receive(call, SOURCE, { max: RECEIVE, waitSeconds: 10, leaseSeconds: 1 });
  for (const { body } of messages) diary.abandoned.add(body.id);
}

export async function receive(call: Call, queue: string, request: object): Promise<Received[]> {
  const answer = (await call(`${queue}/receive`, request)) as { messages: Received[] };
  return answer.messages;
}

export async function settle(
  call: Call,
  how: "ack" | "release",
  messages: readonly Received[],
  queue = SOURCE,
): Promise<string[]> {
  if (messages.length === 0) return [];
  const receipts = messages.map(({ receipt }) => receipt);
  const answer = (await call(`${queue}/${how}`, { receipts })) as { results: { status: string }[] };
  return answer.results.map(({ status }) => status);
}

const count = (counts: Map<string, number>, id: string): void =>
  void counts.set(id, (counts.get(id) ?? 0) + 1);
