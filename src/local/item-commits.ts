/**
 * Group commit by item: the embedded engine's store for the one process that writes to it.
 *
 * A request of the engine costs more than all that a service does for it, and callers meet on few items
 * (a lane's segment, above all). What is asked of an item while a write of it is under way waits, is
 * then decided in order by the rules of `memory-rules.ts`, and goes as one write of the outcome.
 *
 * I1  Whoever writes to the engine writes through here, the sweeper included: what a read showed or a
 *     write left is the item.
 * I2  At most one request per item is under way, until the engine has answered it, however long its
 *     callers wait. So none is applied late.
 * I3  Nothing is answered from a state that the engine has not confirmed.
 * I4  Of an item whose write failed nothing is known: it is read anew, or the next write decides by its
 *     own condition.
 * I5  Where many call, the writes of one item keep a distance: a few ms that cost nobody a call, as
 *     all of them go at once then.
 */
import { LRUCache } from "lru-cache";
import { isLaneError, LaneError } from "../core/errors.ts";
import { edited, holds, refuseOverlaps } from "../store/memory-rules.ts";
import type { Condition, Edit, Item, Key, Store, TableName, WriteResult } from "../store/port.ts";
import { copyOfItem, itemBytes, storedItem } from "../store/values.ts";

export interface ItemCommitsOptions {
  /** Asks the engine and waits until it has answered. */
  readonly store: Store;
  readonly timeoutMs: number;
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  /** How long after a write of an item the next one waits for callers that are on their way (I5). */
  readonly gatherMs: () => number;
  /** Runs something later, unless cancelled by what it returns. */
  readonly after: (ms: number, run: () => void) => () => void;
}

type Write =
  | { readonly do: "put"; readonly item: Item; readonly condition: Condition | undefined }
  | {
      readonly do: "update";
      readonly key: Key;
      readonly edits: readonly Edit[];
      readonly condition: Condition | undefined;
    }
  | { readonly do: "delete"; readonly key: Key; readonly condition: Condition | undefined };

/** A read is a write that changes nothing. */
type Operation = Write | { readonly do: "get"; readonly key: Key };

/** Of a read, `found` is the item. */
type Outcome = WriteResult;

/** What is known of an item then, and what its callers are told. */
interface Settled {
  readonly left: Known | undefined;
  readonly answers: readonly (() => void)[];
}

interface Waiting {
  readonly operation: Operation;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}

interface Known {
  readonly item: Item | undefined;
  /** When it was written last. */
  readonly at: number;
}

/** By DynamoDB's count; as objects, items take some times as much. */
const KNOWN_BYTES = 4 * 1024 * 1024;
const KNOWN_OVERHEAD_BYTES = 200;
/** What is larger costs more to write whole than to change. */
const KNOWN_ITEM_BYTES = 32 * 1024;

export function createItemCommits(options: ItemCommitsOptions): Store {
  const { store, timeoutMs, after, now } = options;
  const known = new LRUCache<string, Known>({
    maxSize: KNOWN_BYTES,
    maxEntrySize: KNOWN_ITEM_BYTES,
    sizeCalculation: ({ item }) =>
      KNOWN_OVERHEAD_BYTES + (item === undefined ? 0 : itemBytes(item)),
  });
  /** What waits for the item's request that is under way. */
  const queues = new Map<string, Waiting[]>();

  async function submit(table: TableName, key: Key, operation: Operation): Promise<Outcome> {
    const name = nameOf(table, key);
    return new Promise((resolve, reject) => {
      const cancel = after(timeoutMs, () => {
        const queue = queues.get(name);
        const at = queue?.indexOf(waiting) ?? -1;
        if (at >= 0) queue?.splice(at, 1);
        reject(timedOut(at < 0 && operation.do !== "get"));
      });
      const waiting: Waiting = {
        operation,
        resolve: (outcome) => {
          cancel();
          resolve(outcome);
        },
        reject: (error) => {
          cancel();
          // A read that was to come after a write says nothing of that one (P3).
          reject(
            operation.do === "get" && isLaneError(error, "outcome-unknown")
              ? timedOut(false)
              : error,
          );
        },
      };
      const queue = queues.get(name);
      if (queue !== undefined) {
        queue.push(waiting);
        return;
      }
      queues.set(name, [waiting]);
      void drain(table, key, name);
    });
  }

  async function drain(table: TableName, key: Key, name: string): Promise<void> {
    for (let queue = queues.get(name); queue !== undefined; queue = queues.get(name)) {
      const [first] = queue;
      if (first === undefined) queues.delete(name);
      else {
        const state = known.get(name);
        if (state === undefined) await settle(name, queue.splice(0, 1), () => alone(table, first));
        else {
          await spaced(state.at);
          const batch = queue.splice(0);
          await settle(name, batch, () => together(table, key, state, batch));
        }
      }
    }
  }

  /** What is known comes before the answers, as whoever is answered may ask at once. */
  async function settle(
    name: string,
    batch: readonly Waiting[],
    run: () => Promise<Settled>,
  ): Promise<void> {
    try {
      const { left, answers } = await run();
      if (left === undefined) known.delete(name);
      else known.set(name, left);
      for (const answer of answers) answer();
    } catch (error) {
      known.delete(name);
      for (const waiting of batch) waiting.reject(error);
    }
  }

  /** I5 */
  async function spaced(lastAt: number): Promise<void> {
    const gatherMs = options.gatherMs();
    const ms = Math.min(gatherMs, lastAt + gatherMs - now());
    if (ms > 0) await options.sleep(ms);
  }

  /** Of an item that is not known: the engine decides. */
  async function alone(table: TableName, { operation, resolve }: Waiting): Promise<Settled> {
    const settled = (outcome: Outcome, item: Item | undefined): Settled => ({
      left: { item, at: operation.do === "get" ? 0 : now() },
      answers: [() => resolve(outcome)],
    });
    switch (operation.do) {
      case "get": {
        const found = await store.get(table, operation.key, { consistent: true });
        return settled({ ok: false, found }, found);
      }
      case "put": {
        const { item, condition } = operation;
        const result = await store.put(table, item, condition);
        // An entry is not asked for again.
        if (result.ok && item["body"] !== undefined)
          return { left: undefined, answers: [() => resolve(result)] };
        return settled(result, result.ok ? storedItem(item) : result.found);
      }
      case "delete": {
        const { key, condition } = operation;
        const result = await store.delete(table, key, condition);
        return settled(result, result.ok ? undefined : result.found);
      }
      case "update": {
        const { key, edits, condition } = operation;
        const result = await store.update(table, key, edits, condition, { wantOld: true });
        const left = result.ok ? edited(result.old ?? keyOf(key), edits) : result.found;
        return settled(result, left);
      }
      default:
        return operation satisfies never;
    }
  }

  /** Of a known item: decided here, in order, and written once. */
  async function together(
    table: TableName,
    key: Key,
    before: Known,
    batch: readonly Waiting[],
  ): Promise<Settled> {
    let { item } = before;
    let isChanged = false;
    const answers: (() => void)[] = [];
    for (const { operation, resolve, reject } of batch) {
      const found = item;
      try {
        if (operation.do === "get" || !isAllowed(operation.condition, found))
          answers.push(() => resolve({ ok: false, found }));
        else {
          item = changed(operation, found);
          isChanged = true;
          answers.push(() => resolve({ ok: true, old: found }));
        }
      } catch (error) {
        // What DynamoDB would refuse.
        reject(error);
      }
    }
    if (!isChanged) return { left: before, answers };
    try {
      if (item === undefined) await store.delete(table, key);
      else await store.put(table, item);
    } catch (error) {
      // Surely not applied, for what one of them asks for: the others must not fail with it.
      if (!isLaneError(error, "internal") || batch.length === 1) throw error;
      for (const waiting of batch)
        await settle(nameOf(table, key), [waiting], () => alone(table, waiting));
      return { left: undefined, answers: [] };
    }
    return { left: { item, at: now() }, answers };
  }

  const inTime = <T>(work: Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      const cancel = after(timeoutMs, () => reject(timedOut(false)));
      void work.then(resolve, reject).finally(cancel);
    });

  const write = async (
    table: TableName,
    key: Key,
    operation: Write,
    wantOld = false,
  ): Promise<WriteResult> => {
    const outcome = await submit(table, key, operation);
    if (!outcome.ok) return { ok: false, found: copyOf(outcome.found) };
    return { ok: true, old: wantOld ? copyOf(outcome.old) : undefined };
  };

  return {
    async get(table, key) {
      // I3: what is under way has not been confirmed yet.
      const state = known.get(nameOf(table, key));
      if (state !== undefined) return copyOf(state.item);
      const outcome = await submit(table, key, { do: "get", key });
      return outcome.ok ? undefined : copyOf(outcome.found);
    },
    query: (table, pk, range) => inTime(store.query(table, pk, range)),
    put: (table, item, condition) => write(table, item, { do: "put", item, condition }),
    update: (table, key, edits, condition, { wantOld } = {}) =>
      write(table, key, { do: "update", key, edits, condition }, wantOld),
    delete: (table, key, condition) => write(table, key, { do: "delete", key, condition }),
  };
}

const nameOf = (table: TableName, { pk, sk }: Key): string => `${table}/${pk}/${sk}`;

/** What is handed out is its receiver's. */
const copyOf = (item: Item | undefined): Item | undefined =>
  item === undefined ? undefined : copyOfItem(item);

const keyOf = ({ pk, sk }: Key): Item => ({ pk, sk });

const isAllowed = (condition: Condition | undefined, item: Item | undefined): boolean =>
  condition === undefined || holds(condition, item);

function changed(write: Write, item: Item | undefined): Item | undefined {
  switch (write.do) {
    case "put":
      return storedItem(write.item);
    case "delete":
      return undefined;
    case "update":
      refuseOverlaps(write.edits);
      return edited(item ?? keyOf(write.key), write.edits);
    default:
      return write satisfies never;
  }
}

const timedOut = (isSent: boolean): LaneError =>
  isSent
    ? new LaneError("outcome-unknown", "A write was not confirmed: the storage engine is slow.")
    : new LaneError("engine-unavailable", "The storage engine did not answer in time.");
