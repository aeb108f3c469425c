/**
 * Which messages a group is to get: those that its filter lets through, and of those that were redriven
 * for one group only its own. The others are passed over, without a lease.
 *
 * F1  A body is parsed once at most for one look. One that stands in parts is fetched where the pattern
 *     reads bodies, a few megabytes at a time; the walk stops before those that were not.
 */
import type { GroupQueue } from "../core/group.ts";
import type { StoredMessage } from "../core/message.ts";
import { matches, subjectOf } from "../core/pattern.ts";
import type { Pattern } from "../core/pattern.ts";
import type { LogEntry, Verdict } from "../core/plan.ts";
import type { Offset, QueueId } from "../core/types.ts";
import { boundedCache } from "./cache.ts";
import type { LogReader } from "./log.ts";

const FETCHED_BYTES = 4 * 1024 * 1024;
/** Of what was examined the latest counts most. */
const EXAMINED_MAX = 20_000;
const SHARE_MIN = 1 / 1_000;

interface Yield {
  examined: number;
  accepted: number;
}

export interface Look {
  readonly accepts: (message: StoredMessage) => Verdict;
  /** What share of messages is let through, as far as is known. */
  readonly share: number;
}

export class Filters {
  readonly #log: LogReader;
  readonly #yields = boundedCache<Yield>(1_000);
  /** Of messages whose bodies stand in parts. */
  readonly #known = new WeakMap<Pattern, WeakMap<StoredMessage, boolean>>();

  constructor(log: LogReader) {
    this.#log = log;
  }

  of({ queueId, group }: GroupQueue): Look {
    const { pattern, groupId } = group;
    const isForIt = (message: StoredMessage) =>
      message.group === undefined || message.group === groupId;
    if (pattern === undefined) return { accepts: isForIt, share: 1 };
    const known = this.#knownOf(pattern);
    const found = this.#yieldOf(`${queueId}#${groupId}`);
    const accepts = (message: StoredMessage): Verdict => {
      if (!isForIt(message)) return false;
      const isElsewhere = message.parts !== undefined && pattern.readsBody;
      const verdict = isElsewhere
        ? (known.get(message) ?? ("notLoaded" as const))
        : matches(pattern, subjectOf(message));
      found.examined += 1;
      if (verdict === true) found.accepted += 1;
      return verdict;
    };
    return { accepts, share: Math.max(SHARE_MIN, (found.accepted + 1) / (found.examined + 1)) };
  }

  /** F1: of what stands at or behind `head`, in order. */
  async load(
    { queueId, group: { pattern } }: GroupQueue,
    entries: Iterable<LogEntry>,
    head: Offset,
  ): Promise<void> {
    if (pattern?.readsBody !== true) return;
    const known = this.#knownOf(pattern);
    let room = FETCHED_BYTES;
    for (const entry of entries) {
      for (const [index, message] of (entry.messages ?? []).entries()) {
        if (message.parts === undefined || known.has(message) || entry.offset + index < head)
          continue;
        if (room <= 0) return;
        room -= message.parts.bytes;
        known.set(message, await this.#judge(queueId, pattern, message));
      }
    }
  }

  /** What has expired in part has nothing to be delivered. */
  async #judge(queue: QueueId, pattern: Pattern, message: StoredMessage): Promise<boolean> {
    const body = await this.#log.body(queue, message);
    return body !== undefined && matches(pattern, subjectOf({ ...message, body }));
  }

  #knownOf(pattern: Pattern): WeakMap<StoredMessage, boolean> {
    const known = this.#known.get(pattern) ?? new WeakMap<StoredMessage, boolean>();
    this.#known.set(pattern, known);
    return known;
  }

  #yieldOf(key: string): Yield {
    const found = this.#yields.get(key) ?? { examined: 0, accepted: 0 };
    if (found.examined > EXAMINED_MAX) {
      found.examined /= 2;
      found.accepted /= 2;
    }
    this.#yields.set(key, found);
    return found;
  }
}
