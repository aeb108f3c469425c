/**
 * Dedup records: what is remembered of a message, or of a request, that must be stored once.
 *
 * A record names the place of the put that its writer is about to make: an intent, not a result. A
 * request of several entries has one record, with a slot for each entry.
 *
 * I1  A record is changed only as it was read: by the version and the end of what it named, or where
 *     nothing is remembered. So a write that comes late is refused.
 * I2  A record that has ended is as good as none; a slot never outlives its record.
 */
import { LIMITS } from "../core/limits.ts";
import type { StoredMessage } from "../core/message.ts";
import type { Place } from "../core/receipt.ts";
import { laneId, offset } from "../core/types.ts";
import type { LaneId, Offset, QueueId } from "../core/types.ts";
import { dedupKey } from "../store/keys.ts";
import { absent, all, any, equal, less, set } from "../store/port.ts";
import type { Condition, Edit, Item } from "../store/port.ts";
import { isLaneError } from "../core/errors.ts";
import type { LaneError } from "../core/errors.ts";
import type { Deps } from "./deps.ts";

/** What a record says of one slot. */
export interface Intent {
  readonly lane: LaneId;
  readonly offset: Offset;
  readonly version: number;
  /** Seconds since 1970: how long the record lives. */
  readonly ttl: number;
}

export type OnceOutcome =
  /** `isRepeat`: it was stored by an earlier call. */
  { readonly place: Place; readonly isRepeat: boolean } | { readonly error: LaneError };

/**
 * What is to be stored once, in one piece: messages that follow one another in an entry, the first of
 * which carries the id.
 */
export interface OnceUnit {
  readonly id: string;
  /** Name of its record. */
  readonly record: string;
  readonly slot: number;
  /** Of a request's record, which is made as a whole beforehand (I2): how long it lives, as last seen. */
  sharedTtl: number | undefined;
  /** Where order is kept, a request's messages of several keys stay on the lane that they were first for. */
  readonly onlyOn: LaneId | undefined;
  /** How long a record lives under which this call puts; the call itself ends a minute earlier (E5). */
  readonly ttl: number;
  readonly count: number;
  /** Made when it is to be stored, and once. */
  readonly messages: () => Promise<readonly StoredMessage[]>;
  /** `undefined`: not read, or there is none. */
  intent: Intent | undefined;
  /** It was this call that made the record say so. */
  isNamed: boolean;
  /** The named place was found to be another's for good. */
  isLost: boolean;
  /** A put of this call may have been applied. */
  isDoubtful: boolean;
  /** Of this call's puts. */
  readonly writers: Set<string>;
  outcome: OnceOutcome | undefined;
}

export function onceUnit(
  of: Pick<OnceUnit, "id" | "ttl" | "count" | "messages"> &
    Partial<Pick<OnceUnit, "record" | "slot" | "sharedTtl" | "onlyOn" | "intent" | "isNamed">>,
): OnceUnit {
  return {
    record: of.id,
    slot: 0,
    sharedTtl: undefined,
    onlyOn: undefined,
    intent: undefined,
    isNamed: false,
    ...of,
    isLost: false,
    isDoubtful: false,
    writers: new Set(),
    outcome: undefined,
  };
}

/** Attributes of the first slot have plain names. */
export const slotAttribute = (name: "lane" | "offset" | "version", slot: number): string =>
  slot === 0 ? name : `${name}${slot}`;

export function intentOf(item: Item | undefined, slot: number): Intent | undefined {
  const at = item?.[slotAttribute("offset", slot)];
  if (item === undefined || at === undefined) return undefined;
  return {
    lane: laneId(item[slotAttribute("lane", slot)] as number),
    offset: offset(at as number),
    version: item[slotAttribute("version", slot)] as number,
    ttl: item["ttl"] as number,
  };
}

export class Intents {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  isAlive(intent: Intent): boolean {
    return intent.ttl * 1000 > this.#deps.clock.now();
  }

  /** E5: whether the unit may be put where its record says: that lives as long as the call's own window. */
  isLasting({ intent, ttl }: OnceUnit): boolean {
    return intent !== undefined && intent.ttl >= ttl;
  }

  /** E5: whether the call must end, for what it would store may no longer be remembered. */
  isOver({ ttl }: OnceUnit): boolean {
    return ttl * 1000 - LIMITS.dedupSpareMs <= this.#deps.clock.now();
  }

  /**
   * Makes the record of a unit name a place (I1). `false`: it says something else, which the unit now
   * knows, or its outcome is unknown.
   */
  async name(queue: QueueId, unit: OnceUnit, lane: LaneId, at: Offset): Promise<boolean> {
    const { intent } = unit;
    const known = intent !== undefined && this.isAlive(intent) ? intent : undefined;
    const next: Intent = {
      lane,
      offset: at,
      version: (known?.version ?? 0) + 1,
      ttl: Math.max(unit.ttl, known?.ttl ?? 0),
    };
    const edits: Edit[] = [
      set([slotAttribute("lane", unit.slot)], lane),
      set([slotAttribute("offset", unit.slot)], at),
      set([slotAttribute("version", unit.slot)], next.version),
      set(["ttl"], next.ttl),
    ];
    try {
      const key = dedupKey(queue, unit.record);
      const result = await this.#deps.store.update("lanes", key, edits, this.#guard(unit, known));
      unit.intent = result.ok ? next : intentOf(result.found, unit.slot);
      unit.isNamed = result.ok;
      if (unit.sharedTtl !== undefined && !result.ok)
        unit.sharedTtl = (result.found?.["ttl"] as number | undefined) ?? unit.sharedTtl;
      unit.isLost = false;
      return result.ok;
    } catch (error) {
      if (!isLaneError(error, "outcome-unknown")) throw error;
      unit.intent = undefined;
      unit.isLost = false;
      return false;
    }
  }

  #guard(unit: OnceUnit, known: Intent | undefined): Condition {
    const version = slotAttribute("version", unit.slot);
    if (known !== undefined) return all(equal([version], known.version), equal(["ttl"], known.ttl));
    if (unit.sharedTtl !== undefined) return all(absent(version), equal(["ttl"], unit.sharedTtl));
    const nowSeconds = Math.floor(this.#deps.clock.now() / 1000);
    return any(absent("version"), less(["ttl"], nowSeconds + 1));
  }
}
