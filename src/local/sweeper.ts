/**
 * Plays DynamoDB's TTL on an engine that has none. This is the engine's work, not the service's: only
 * here are tables scanned.
 *
 * W1  An item is deleted only with the `ttl` that was read, and only once that has passed: an append
 *     that raises it meanwhile wins (L5).
 * W2  A round does not read a backlog: in a log `ttl` never falls (L4), and timers that wait stand in the
 *     order of their times, so after the first of them that stays the round goes on behind them.
 * W3  Looking rests as long as it works, up to a bound: under load, most of that time is waiting.
 *     Deleting does not rest, or it would fall behind a constant load; what bounds it is the number of
 *     deletes under way.
 */
import { ScanCommand, type AttributeValue, type DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { equal, type Store } from "../store/port.ts";

export interface SweeperOptions {
  /** For the scans. */
  readonly client: DynamoDBClient;
  /** As the scans name it. */
  readonly table: string;
  /** For the deletions, in "lanes". */
  readonly store: Pick<Store, "delete">;
  readonly now: () => number;
  /** Resolves early when the signal fires. */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** Gives the space of what was deleted back to the disk. */
  readonly compact?: () => Promise<void>;
  readonly log: (message: string, error: unknown) => void;
}

const ROUND_MS = 30_000;
const PAGE_ITEMS_MIN = 4;
const PAGE_ITEMS_MAX = 128;
const DELETES_AT_ONCE = 16;
const REST_MS_MIN = 20;
const REST_MS_MAX = 200;
/** Compaction writes anew what stood around what was deleted, so it has to be worth it. */
const COMPACT_ITEMS = 1_000;
const COMPACT_MS = 60_000;
/** Behind every sort key of a partition. */
const LAST_SK = "\uffff";

type Row = Record<string, AttributeValue>;

/** Runs until the signal fires. */
export async function runSweeper(options: SweeperOptions, signal: AbortSignal): Promise<void> {
  let deleted = 0;
  let compactedAt = -Infinity;
  // Between pages, too: under full load one round may last for minutes.
  const compactIfWorth = async (more: number): Promise<void> => {
    deleted += more;
    if (deleted < COMPACT_ITEMS || options.now() - compactedAt < COMPACT_MS) return;
    deleted = 0;
    compactedAt = options.now();
    await options.compact?.();
  };
  while (!signal.aborted) {
    try {
      await sweep(options, signal, compactIfWorth);
    } catch (error) {
      if (!signal.aborted) options.log("the sweeper failed; it tries again in 30 s", error);
    }
    await options.sleep(ROUND_MS, signal);
  }
}

/** One round over the table. */
export async function sweep(
  options: SweeperOptions,
  signal: AbortSignal,
  onDeleted: (items: number) => Promise<void> = () => Promise.resolve(),
): Promise<{ read: number; deleted: number }> {
  const { client, table, now, sleep } = options;
  let from: Row | undefined;
  let limit = PAGE_ITEMS_MIN;
  let read = 0;
  let deleted = 0;
  do {
    const startedAt = now();
    const page = await client.send(
      new ScanCommand({
        TableName: table,
        Limit: limit,
        ProjectionExpression: "#p, #s, #t",
        ExpressionAttributeNames: { "#p": "pk", "#s": "sk", "#t": "ttl" },
        ...(from === undefined ? {} : { ExclusiveStartKey: from }),
      }),
    );
    const rows = page.Items ?? [];
    read += rows.length;
    // As DynamoDB: a second is over before what ends with it goes.
    const nowSeconds = Math.floor(now() / 1000);
    const expired = rows.filter((row) => ttlOf(row) < nowSeconds);
    const went = await deleteAll(options, expired);
    deleted += went;
    await onDeleted(went);
    const last = rows.at(-1);
    const stays = last !== undefined && !expired.includes(last);
    const next: Row | undefined = page.LastEvaluatedKey;
    const isPassed = stays && isInOrder(last);
    from = next && isPassed ? behindPartition(last) : next;
    limit = isPassed ? PAGE_ITEMS_MIN : Math.min(PAGE_ITEMS_MAX, 2 * limit);
    const allWent = rows.length > 0 && expired.length === rows.length;
    if (from !== undefined && !allWent)
      await sleep(Math.min(REST_MS_MAX, Math.max(REST_MS_MIN, now() - startedAt)), signal);
  } while (from !== undefined && !signal.aborted);
  return { read, deleted };
}

const ttlOf = (row: Row): number => (row.ttl?.N === undefined ? Infinity : Number(row.ttl.N));

/** W2. Timers stand in the order of their times, behind their promoter's item. */
const isInOrder = ({ pk, sk }: Row): boolean =>
  pk?.S?.startsWith("log#") === true || (pk?.S?.startsWith("timer#") === true && sk?.S !== "-");

const behindPartition = (row: Row): Row => ({ pk: row.pk ?? { S: "" }, sk: { S: LAST_SK } });

/** W1. Returns how many went. */
async function deleteAll(options: SweeperOptions, rows: readonly Row[]): Promise<number> {
  const waiting = rows.values();
  let deleted = 0;
  const work = async (): Promise<void> => {
    for (const row of waiting) {
      const { pk, sk } = row;
      if (pk === undefined || sk === undefined) continue;
      const key = { pk: pk.S ?? "", sk: sk.S ?? "" };
      const { ok } = await options.store.delete("lanes", key, equal(["ttl"], ttlOf(row)));
      if (ok) deleted += 1;
    }
  };
  await Promise.all(Array.from({ length: DELETES_AT_ONCE }, work));
  return deleted;
}
