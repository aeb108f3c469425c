/**
 * What callers were told is stored and the engine does not have yet: the journal has it. The engine gets it
 * a little later, all that has happened to an item meanwhile as one write.
 *
 * J3  An item's state counts from when the journal has it, and stands here until the engine has it.
 * J4  One flush is under way at a time, and an item is once in it, so that no state comes after a later one.
 * J5  While a journal that may be read again holds something of an item, whatever changes the item goes
 *     through the journal, or reading would bring an older state back.
 * J6  A journal goes when the engine has all that it holds, down to the disk.
 * J7  What waits for the engine is bounded; beyond that, callers wait with it.
 */
import { LaneError } from "../core/errors.ts";
import type { Item, Key, QueryRange, TableName } from "../store/port.ts";
import type { Journal } from "./journal.ts";
import { isWithin } from "./overlay.ts";
import type { Changes } from "./overlay.ts";

/** What an item is from now on; `undefined`: there is none. */
export interface Change {
  readonly table: TableName;
  readonly key: Key;
  readonly item: Item | undefined;
}

export interface WriteBehindOptions {
  /** Absent: the engine is in memory, and nothing outlives this process. */
  readonly journal: Journal | undefined;
  /** As a line: what the journal keeps and the engine is asked. */
  readonly encode: (change: Change) => string;
  /** What a line is about: of several about the same, the last one counts. */
  readonly subject: (line: string) => string;
  /** Has the engine carry lines out; whether it has, for each. */
  readonly carry: (lines: readonly string[]) => Promise<readonly boolean[]>;
  /** Has the engine bring all that it has taken down to the disk; whether it could. */
  readonly sync: () => Promise<boolean>;
  readonly after: (ms: number, run: () => void) => () => void;
  readonly onTrouble: (message: string) => void;
}

interface Waiting {
  readonly name: string;
  readonly partition: string;
  readonly sk: string;
  readonly item: Item | undefined;
  readonly line: string;
}

const FLUSH_MS = 200;
const RETRY_MS = 1_000;
/** At once: what is asked of the engine meanwhile waits until it has them. */
const CARRY_LINES = 16;
const CARRY_CHARACTERS = 64 * 1024;
const JOURNAL_BYTES = 8 * 1024 * 1024;
const WAITING_CHARACTERS_MAX = 16 * 1024 * 1024;

export class WriteBehind {
  readonly #options: WriteBehindOptions;
  readonly #waiting = new Map<string, Waiting>();
  readonly #byPartition = new Map<string, Set<string>>();
  #characters = 0;
  /** Names in the journal's file that is written now, and in those before it (J5). */
  readonly #named = new Set<string>();
  readonly #namedBefore = new Set<string>();
  #forRoom: (() => void)[] = [];
  #cancel: (() => void) | undefined;
  #flushing: Promise<void> | undefined;

  constructor(options: WriteBehindOptions) {
    this.#options = options;
  }

  /** What a process that did not stop cleanly has left goes to the engine. @throws LaneError */
  async recover(): Promise<void> {
    const { journal, subject, carry, sync } = this.#options;
    if (journal === undefined) return;
    const last = new Map<string, string>();
    for (const line of journal.read()) last.set(subject(line), line);
    const lines = [...last.values()];
    for (let at = 0; at < lines.length; at += CARRY_LINES) {
      const done = await carry(lines.slice(at, at + CARRY_LINES));
      if (done.includes(false)) throw unwritable();
    }
    if (lines.length > 0 && !(await sync())) throw unwritable();
    journal.dropLeft();
  }

  /** What waits for the engine. */
  get(name: string): { readonly item: Item | undefined } | undefined {
    return this.#waiting.get(name);
  }

  /** J5 */
  isJournaled(name: string): boolean {
    return this.#waiting.has(name) || this.#named.has(name) || this.#namedBefore.has(name);
  }

  /** J7: `undefined`: there is room. */
  room(): Promise<void> | undefined {
    if (this.#characters < WAITING_CHARACTERS_MAX) return undefined;
    return new Promise((resolve) => this.#forRoom.push(resolve));
  }

  /** J3. @throws LaneError `engine-unavailable`: then nothing of it counts. */
  commit(changes: readonly (Change & { readonly name: string })[]): void {
    const { journal, encode, onTrouble } = this.#options;
    const lines = changes.map(encode);
    try {
      journal?.append(lines);
    } catch (error) {
      onTrouble(error instanceof Error ? error.message : String(error));
      throw unwritable(error);
    }
    for (const [index, { name, table, key, item }] of changes.entries()) {
      if (journal !== undefined) this.#named.add(name);
      const partition = `${table}/${key.pk}`;
      this.#add({ name, partition, sk: key.sk, item, line: lines[index] ?? "" });
    }
    this.#plan(FLUSH_MS);
  }

  /** What waits for the engine of a partition, within a range. */
  changes(table: TableName, pk: string, { from, to }: Pick<QueryRange, "from" | "to">): Changes {
    const changes = new Map<string, Item | undefined>();
    for (const name of this.#byPartition.get(`${table}/${pk}`) ?? []) {
      const waiting = this.#waiting.get(name);
      if (waiting === undefined || !isWithin(waiting.sk, from, to)) continue;
      changes.set(waiting.sk, waiting.item);
    }
    return changes;
  }

  /** Leaves no journal behind, unless the engine does not take what is in it. */
  async close(): Promise<void> {
    await this.#flushing;
    const { journal } = this.#options;
    if (journal !== undefined) this.#turn(journal);
    await this.#flush();
    this.#cancel?.();
  }

  #add(waiting: Waiting): void {
    const before = this.#waiting.get(waiting.name);
    this.#waiting.set(waiting.name, waiting);
    this.#characters += waiting.line.length - (before?.line.length ?? 0);
    if (before !== undefined) return;
    const names = this.#byPartition.get(waiting.partition);
    if (names === undefined) this.#byPartition.set(waiting.partition, new Set([waiting.name]));
    else names.add(waiting.name);
  }

  #remove(name: string): void {
    const waiting = this.#waiting.get(name);
    if (waiting === undefined) return;
    this.#waiting.delete(name);
    this.#characters -= waiting.line.length;
    const names = this.#byPartition.get(waiting.partition);
    names?.delete(name);
    if (names?.size === 0) this.#byPartition.delete(waiting.partition);
  }

  #plan(ms: number): void {
    this.#cancel ??= this.#options.after(ms, () => {
      this.#cancel = undefined;
      void this.#flush();
    });
  }

  #flush(): Promise<void> {
    this.#flushing ??= this.#flushAll().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  async #flushAll(): Promise<void> {
    const { journal, sync } = this.#options;
    if (journal !== undefined && journal.bytes > JOURNAL_BYTES) this.#turn(journal);
    const isDone = await this.#carry([...this.#waiting.keys()]);
    // J6: what the files before this one hold was among what has just been carried.
    if (isDone && journal?.hasEnded === true && (await sync())) {
      journal.dropEnded();
      this.#namedBefore.clear();
    }
    if (this.#waiting.size > 0) this.#plan(isDone ? FLUSH_MS : RETRY_MS);
  }

  #turn(journal: Journal): void {
    journal.turn();
    for (const name of this.#named) this.#namedBefore.add(name);
    this.#named.clear();
  }

  /** Until the engine has these as they are now, or as they are later; false: it has not. */
  async #carry(names: readonly string[]): Promise<boolean> {
    let isDone = true;
    for (let at = 0; at < names.length;) {
      const batch = this.#batchOf(names, at);
      at += batch.length;
      const all = batch.flatMap((name) => this.#waiting.get(name) ?? []);
      if (all.length > 0 && !(await this.#send(all))) isDone = false;
    }
    return isDone;
  }

  #batchOf(names: readonly string[], at: number): readonly string[] {
    let characters = 0;
    let end = at;
    while (end < names.length && end - at < CARRY_LINES && characters < CARRY_CHARACTERS) {
      characters += this.#waiting.get(names[end] ?? "")?.line.length ?? 0;
      end += 1;
    }
    return names.slice(at, end);
  }

  async #send(all: readonly Waiting[]): Promise<boolean> {
    const done = await this.#options
      .carry(all.map(({ line }) => line))
      .catch((): readonly boolean[] => []);
    for (const [index, waiting] of all.entries())
      if (done[index] === true && this.#waiting.get(waiting.name) === waiting)
        this.#remove(waiting.name);
    if (this.#characters < WAITING_CHARACTERS_MAX)
      for (const enter of this.#forRoom.splice(0)) enter();
    return all.every((_, index) => done[index] === true);
  }
}

const unwritable = (cause?: unknown): LaneError =>
  new LaneError("engine-unavailable", "The storage engine could not write.", { cause });
