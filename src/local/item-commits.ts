/**
 * Group commit by item: the embedded engine's store for the one process that writes to it.
 *
 * A request of the engine costs more than all that a service does for it, and callers meet on few items
 * (a lane's segment, above all). Of an item that is known, what is asked is decided here, in order, by
 * the rules of `memory-rules.ts`, and what it leaves goes to the journal: all that is asked at once, of
 * whatever items, in one write. The engine has it later (`write-behind.ts`).
 *
 * I1  Whoever reads from the engine or writes to it does so through here: what a read showed or a write
 *     left is the item. The sweeper's scans alone go by; they may show what was, and its deletions come here.
 * I2  Of an item that is not known the engine decides. At most one such request per item is under way,
 *     until the engine has answered it, however long its callers wait. So none is applied late.
 * I3  Nothing is answered from a state that neither the journal nor the engine has confirmed.
 * I4  Of an item whose write failed nothing is known: it is read anew, or the next write decides by its
 *     own condition.
 * I5  A query shows what the engine has, and over it what waits for the engine as the query begins and as it
 *     ends (`overlay.ts`). One that begins behind the end of what it could show (`partition-ends.ts`) is
 *     not asked.
 */
import { LRUCache } from "lru-cache";
import { isLaneError, LaneError } from "../core/errors.ts";
import { edited, holds, refuseOverlaps } from "../store/memory-rules.ts";
import type {
  Condition,
  Edit,
  Item,
  Key,
  QueryPage,
  QueryRange,
  Store,
  TableName,
  WriteResult,
} from "../store/port.ts";
import { checkedItemBytes, itemBytes, storedItem } from "../store/values.ts";
import { laidOver, withRoom } from "./overlay.ts";
import { PartitionEnds } from "./partition-ends.ts";
import type { WriteBehind } from "./write-behind.ts";

export interface ItemCommitsOptions {
  /** Asks the engine and waits until it has answered. */
  readonly store: Store;
  readonly behind: WriteBehind;
  readonly timeoutMs: number;
  /** Runs something later, unless cancelled by what it returns. */
  readonly after: (ms: number, run: () => void) => () => void;
  /** Runs something when all who are here have been heard. */
  readonly soon: (run: () => void) => void;
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

interface Waiting {
  readonly operation: Operation;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
  /** Takes its time-out away; absent as long as nothing keeps it waiting. */
  cancel?: () => void;
}

/** What is asked of one item. */
interface Queue {
  readonly name: string;
  readonly table: TableName;
  readonly key: Key;
  readonly waiting: Waiting[];
  /** The engine is asked for it. */
  isBusy: boolean;
  /** What it has just answered. */
  shown?: Known | undefined;
}

interface Known {
  readonly item: Item | undefined;
}

/** What was decided of an item, and what its callers are told. */
interface Decided {
  readonly queue: Queue;
  readonly batch: readonly Waiting[];
  readonly left: Known;
  readonly isChanged: boolean;
  readonly bytes: number;
  readonly answers: readonly (() => void)[];
}

/** By DynamoDB's count; as objects, items take some times as much. */
const KNOWN_BYTES = 4 * 1024 * 1024;
const KNOWN_OVERHEAD_BYTES = 200;
/** What is larger costs more to write whole than to change. */
const KNOWN_ITEM_BYTES = 32 * 1024;

export function createItemCommits(options: ItemCommitsOptions): Store {
  const { store, behind, timeoutMs, after, soon } = options;
  const known = new LRUCache<string, Known>({ maxSize: KNOWN_BYTES });
  const ends = new PartitionEnds();
  const queues = new Map<string, Queue>();
  let decidable: Queue[] = [];

  const confirmed = (name: string, table: TableName, key: Key): Known | undefined =>
    behind.get(name) ??
    known.get(name) ??
    (ends.isBehind(table, key) ? { item: undefined } : undefined);

  function remember(name: string, state: Known, bytes: number): void {
    // An entry is not asked for again.
    const isEntry = state.item?.["body"] !== undefined;
    if (isEntry || bytes > KNOWN_ITEM_BYTES) known.delete(name);
    else known.set(name, state, { size: KNOWN_OVERHEAD_BYTES + bytes });
  }

  function submit(table: TableName, key: Key, operation: Operation): Promise<Outcome> {
    const name = nameOf(table, key);
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { operation, resolve, reject };
      const queue = queues.get(name);
      if (queue === undefined) {
        const first: Queue = { name, table, key, waiting: [waiting], isBusy: false };
        queues.set(name, first);
        goOn(first);
      } else {
        queue.waiting.push(waiting);
        if (queue.isBusy) limit(queue, waiting);
      }
    });
  }

  /** Nothing of the queue is under way. */
  function goOn(queue: Queue): void {
    if (queue.waiting.length === 0) queues.delete(queue.name);
    else if ((queue.shown ?? confirmed(queue.name, queue.table, queue.key)) === undefined)
      void ask(queue);
    else {
      if (decidable.length === 0) soon(commit);
      decidable.push(queue);
    }
  }

  function limit(queue: Queue, waiting: Waiting): void {
    waiting.cancel ??= after(timeoutMs, () => {
      const at = queue.waiting.indexOf(waiting);
      if (at >= 0) queue.waiting.splice(at, 1);
      waiting.reject(timedOut(at < 0 && waiting.operation.do !== "get"));
    });
  }

  /** All that can be decided goes to the journal at once. */
  function commit(): void {
    const all = decidable.splice(0);
    const decided: Decided[] = [];
    for (const queue of all) {
      const state = queue.shown ?? confirmed(queue.name, queue.table, queue.key);
      queue.shown = undefined;
      // It was known, and is no more.
      if (state === undefined) void ask(queue);
      else decided.push(decide(queue, state));
    }
    const large = decided.filter(isForEngine);
    for (const one of large) void write(one);
    const rest = large.length === 0 ? decided : decided.filter((one) => !large.includes(one));
    journal(rest);
    for (const { queue } of rest) goOn(queue);
  }

  const isForEngine = ({ queue, isChanged, bytes }: Decided): boolean =>
    isChanged && bytes > KNOWN_ITEM_BYTES && !behind.isJournaled(queue.name);

  function journal(decided: readonly Decided[]): void {
    const changes = decided.flatMap(({ queue: { name, table, key }, left, isChanged }) =>
      isChanged ? [{ name, table, key, item: left.item }] : [],
    );
    try {
      if (changes.length > 0) behind.commit(changes);
    } catch (error) {
      for (const { batch } of decided) for (const waiting of batch) fail(waiting, error);
      return;
    }
    for (const { queue, left, isChanged, bytes, answers } of decided) {
      if (isChanged) {
        ends.move(queue.table, queue.key);
        remember(queue.name, left, bytes);
      }
      for (const answer of answers) answer();
    }
  }

  /** In order, each as the one before it has left the item. */
  function decide(queue: Queue, state: Known): Decided {
    const batch = queue.waiting.splice(0);
    let { item } = state;
    let bytes = 0;
    let isChanged = false;
    const answers: (() => void)[] = [];
    for (const waiting of batch) {
      const { operation } = waiting;
      const found = item;
      try {
        if (operation.do === "get" || !isAllowed(operation.condition, found))
          answers.push(() => succeed(waiting, { ok: false, found }));
        else {
          const next = changed(operation, found);
          bytes = next === undefined ? 0 : checkedItemBytes(next);
          item = next;
          isChanged = true;
          answers.push(() => succeed(waiting, { ok: true, old: found }));
        }
      } catch (error) {
        // What DynamoDB would refuse.
        fail(waiting, error);
      }
    }
    return { queue, batch, left: { item }, isChanged, bytes, answers };
  }

  /** Too large for the journal. */
  async function write({ queue, batch, left, bytes, answers }: Decided): Promise<void> {
    const { table, key } = queue;
    await busy(queue, batch, async () => {
      if (left.item === undefined) await store.delete(table, key);
      else await store.put(table, left.item);
      remember(queue.name, left, bytes);
      for (const answer of answers) answer();
    });
  }

  /** The engine decides, or shows what there is. */
  async function ask(queue: Queue): Promise<void> {
    const { name, table, key } = queue;
    const [first] = queue.waiting;
    if (first === undefined) return goOn(queue);
    // J5: it has to be known before it is changed.
    if (first.operation.do === "get" || behind.isJournaled(name))
      return busy(queue, [], async () => {
        const item = await store.get(table, key, { consistent: true });
        queue.shown = { item };
        remember(name, queue.shown, item === undefined ? 0 : itemBytes(item));
        if (item === undefined) void learnEnd(table, key);
      });
    queue.waiting.shift();
    const { operation } = first;
    return busy(queue, [first], async () => {
      const { outcome, left } = await alone(table, operation);
      remember(name, { item: left }, left === undefined ? 0 : itemBytes(left));
      succeed(first, outcome);
    });
  }

  /** While the engine is asked, all that wait are limited. */
  async function busy(
    queue: Queue,
    batch: readonly Waiting[],
    run: () => Promise<void>,
  ): Promise<void> {
    queue.isBusy = true;
    for (const waiting of [...batch, ...queue.waiting]) limit(queue, waiting);
    // Who wanted to be shown the item waits on, and fails with the reading.
    const isReading = batch.length === 0;
    const concerned = isReading ? [...queue.waiting] : batch;
    const tried = isReading ? undefined : ends.trying(queue.table, queue.key);
    try {
      await run();
    } catch (error) {
      known.delete(queue.name);
      for (const waiting of concerned) {
        const at = queue.waiting.indexOf(waiting);
        if (at >= 0) queue.waiting.splice(at, 1);
        fail(waiting, error);
      }
    }
    tried?.();
    queue.isBusy = false;
    goOn(queue);
  }

  /** Where there was nothing there will be more of it, as a group goes on from segment to segment. */
  async function learnEnd(table: TableName, key: Key): Promise<void> {
    const range = ends.toAsk(table, key);
    // What cannot be learnt now is asked for again.
    if (range !== undefined) await query(table, key.pk, range).catch(() => {});
  }

  async function alone(
    table: TableName,
    operation: Write,
  ): Promise<{ outcome: Outcome; left: Item | undefined }> {
    switch (operation.do) {
      case "put": {
        const { item, condition } = operation;
        const outcome = await store.put(table, item, condition);
        return { outcome, left: outcome.ok ? storedItem(item) : outcome.found };
      }
      case "delete": {
        const { key, condition } = operation;
        const outcome = await store.delete(table, key, condition);
        return { outcome, left: outcome.ok ? undefined : outcome.found };
      }
      case "update": {
        const { key, edits, condition } = operation;
        const outcome = await store.update(table, key, edits, condition, { wantOld: true });
        const left = outcome.ok ? edited(outcome.old ?? keyOf(key), edits) : outcome.found;
        return { outcome, left };
      }
      default:
        return operation satisfies never;
    }
  }

  const inTime = <T>(work: Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      const cancel = after(timeoutMs, () => reject(timedOut(false)));
      void work.then(resolve, reject).finally(cancel);
    });

  /** I5 */
  async function overlaid(table: TableName, pk: string, range: QueryRange): Promise<QueryPage> {
    // What the engine gets while it is asked, it may have got too late.
    const changes = new Map(behind.changes(table, pk, range));
    let asked = withRoom(range, changes);
    for (;;) {
      const shown = await inTime(store.query(table, pk, asked));
      for (const [sk, item] of behind.changes(table, pk, range)) changes.set(sk, item);
      if (changes.size === 0) return shown;
      const page = laidOver(shown, range, changes);
      const last = shown.items.at(-1)?.sk;
      // No page is empty that is not the last: all that this one showed has gone meanwhile.
      if (page.items.length > 0 || !page.more || last === undefined) return page;
      const rest = range.reverse === true ? { to: last } : { from: last };
      asked = { ...withRoom(range, changes), ...rest };
    }
  }

  const query: Store["query"] = async (table, pk, range) => {
    if (ends.isPast(table, pk, range)) return { items: [], more: false };
    // K1: before any waiting, so that whatever is put meanwhile moves the end.
    const learn = ends.look(table, pk, range);
    const page = await overlaid(table, pk, range);
    learn(page);
    return page;
  };

  const change = async (
    table: TableName,
    key: Key,
    operation: Write,
    wantOld = false,
  ): Promise<WriteResult> => {
    const room = behind.room();
    if (room !== undefined) await inTime(room);
    const outcome = await submit(table, key, operation);
    return outcome.ok ? { ok: true, old: wantOld ? outcome.old : undefined } : outcome;
  };

  return {
    async get(table, key) {
      const name = nameOf(table, key);
      const state = confirmed(name, table, key);
      if (state !== undefined) return state.item;
      const outcome = await submit(table, key, { do: "get", key });
      return outcome.ok ? undefined : outcome.found;
    },
    query,
    put: (table, item, condition) => change(table, item, { do: "put", item, condition }),
    update: (table, key, edits, condition, { wantOld } = {}) =>
      change(table, key, { do: "update", key, edits, condition }, wantOld),
    delete: (table, key, condition) => change(table, key, { do: "delete", key, condition }),
  };
}

function succeed(waiting: Waiting, outcome: Outcome): void {
  waiting.cancel?.();
  waiting.resolve(outcome);
}

function fail(waiting: Waiting, error: unknown): void {
  waiting.cancel?.();
  // A read that was to come after a write says nothing of that one (P3).
  const isRead = waiting.operation.do === "get";
  waiting.reject(isRead && isLaneError(error, "outcome-unknown") ? timedOut(false) : error);
}

const nameOf = (table: TableName, { pk, sk }: Key): string => `${table}/${pk}/${sk}`;

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
