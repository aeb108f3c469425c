/**
 * Requests under an idempotency key: what of one is stored once, and where.
 *
 * One record names the places of all the request's entries, a slot for each: an intent, as every dedup
 * record. It also keeps which message is in which slot, so that a repeat makes the same entries whatever
 * lanes the queue has by then.
 *
 * R4  A key stands for one request: another one is refused by the fingerprint that the record keeps.
 * R5  The record is made as a whole, before any of its entries; each slot is a unit (E1–E5). Of a lane the
 *     first slot is named at once; where the others go is known only when that has been put.
 */
import { requestName, slotName } from "../core/dedup.ts";
import { isLaneError, LaneError } from "../core/errors.ts";
import type { StoredMessage } from "../core/message.ts";
import type { QueueRecord } from "../core/queue.ts";
import { laneId } from "../core/types.ts";
import type { LaneId, Offset } from "../core/types.ts";
import { dedupKey } from "../store/keys.ts";
import { absent, any, less } from "../store/port.ts";
import type { Attributes, Item } from "../store/port.ts";
import type { Deps } from "./deps.ts";
import { intentOf, onceUnit, slotAttribute } from "./intents.ts";
import type { OnceUnit } from "./intents.ts";
import { writeParts } from "./parts.ts";
import type { Tails } from "./tail.ts";

const ATTEMPTS = 4;

export interface KeyedRequest {
  readonly key: string;
  readonly fingerprint: string;
  /** Seconds since 1970. */
  readonly ttl: number;
}

/** Messages by their index in the request, for one entry of one lane. */
export interface Slot {
  readonly lane: LaneId;
  readonly indexes: readonly number[];
}

export interface SlotUnit {
  readonly unit: OnceUnit;
  readonly indexes: readonly number[];
}

export class Requests {
  readonly #deps: Deps;
  readonly #tails: Tails;

  constructor(deps: Deps, tails: Tails) {
    this.#deps = deps;
    this.#tails = tails;
  }

  /**
   * The units of a request, as it was first made: `proposed` is how it would be made now.
   * @throws LaneError `idempotency-key-reused`, and the store's
   */
  async open(
    record: QueueRecord,
    request: KeyedRequest,
    messages: readonly StoredMessage[],
    proposed: readonly Slot[],
  ): Promise<readonly SlotUnit[]> {
    const key = dedupKey(record.queueId, requestName(request.key));
    const item: Item = {
      ...key,
      hash: request.fingerprint,
      slots: encodeSlots(messages.length, proposed),
      ttl: request.ttl,
      ...(await this.#places(record, proposed)),
    };
    let found: Item | undefined;
    for (let attempt = 0; found === undefined && attempt < ATTEMPTS; attempt++)
      found = await this.#make(item);
    if (found === undefined)
      throw new LaneError(
        "throttled",
        "The request could not be written down; nothing was stored.",
      );
    if (found["hash"] !== request.fingerprint)
      throw new LaneError(
        "idempotency-key-reused",
        `The key "${request.key}" has been used for another request on the queue "${record.name}".`,
        { errors: [{ path: "headers.idempotency-key", message: "was used for another request" }] },
      );
    return decodeSlots(found["slots"] as string).map((indexes, slot) => ({
      indexes,
      unit: this.#unit(
        record,
        request,
        { item: found, isOurs: found === item },
        slot,
        indexes.flatMap((at) => messages[at] ?? []),
      ),
    }));
  }

  /** The record as it stands then: ours, or an earlier one. */
  async #make(item: Item): Promise<Item | undefined> {
    const nowSeconds = Math.floor(this.#deps.clock.now() / 1000);
    const guard = any(absent("hash"), less(["ttl"], nowSeconds + 1));
    try {
      const result = await this.#deps.store.put("lanes", item, guard);
      return result.ok ? item : result.found;
    } catch (error) {
      if (!isLaneError(error, "outcome-unknown")) throw error;
      return this.#deps.store.get("lanes", { pk: item.pk, sk: item.sk }, { consistent: true });
    }
  }

  async #places(record: QueueRecord, slots: readonly Slot[]): Promise<Attributes> {
    const named: Record<string, number> = Object.fromEntries(
      slots.map(({ lane }, slot) => [slotAttribute("lane", slot), lane]),
    );
    const lanes = new Set<LaneId>();
    const firsts = slots.flatMap(({ lane }, slot) => {
      if (lanes.has(lane)) return [];
      lanes.add(lane);
      return [{ lane, slot }];
    });
    await Promise.all(
      firsts.map(async ({ lane, slot }) => {
        const tail = await this.#tails.appendable(record.queueId, lane);
        if (tail !== "ended") Object.assign(named, placeOf(slot, lane, tail.offset));
      }),
    );
    return named;
  }

  #unit(
    record: QueueRecord,
    { key, ttl }: KeyedRequest,
    { item, isOurs }: { readonly item: Item; readonly isOurs: boolean },
    slot: number,
    messages: readonly StoredMessage[],
  ): OnceUnit {
    const id = slotName(key, slot);
    const keys = new Set(messages.map((message) => message.key));
    const isBound = record.settings.order !== "none" && keys.size > 1;
    let whole: Promise<readonly StoredMessage[]> | undefined;
    return onceUnit({
      id,
      record: requestName(key),
      slot,
      sharedTtl: item["ttl"] as number,
      onlyOn: isBound ? laneId(item[slotAttribute("lane", slot)] as number) : undefined,
      ttl,
      count: messages.length,
      intent: intentOf(item, slot),
      isNamed: isOurs,
      messages: () =>
        (whole ??= Promise.all(
          messages.map((message, index) =>
            writeParts(this.#deps, record, index === 0 ? { ...message, dedupId: id } : message),
          ),
        )),
    });
  }
}

const placeOf = (slot: number, lane: LaneId, at: Offset): Record<string, number> => ({
  [slotAttribute("lane", slot)]: lane,
  [slotAttribute("offset", slot)]: at,
  [slotAttribute("version", slot)]: 1,
});

/** Which slot each message is in, in runs: "0*256 1*44", or "-" where no slot has it. */
export function encodeSlots(count: number, slots: readonly Slot[]): string {
  const slotOf = new Map(
    slots.flatMap(({ indexes }, slot) => indexes.map((index) => [index, slot.toString(36)])),
  );
  const runs: { slot: string; length: number }[] = [];
  for (let index = 0; index < count; index++) {
    const slot = slotOf.get(index) ?? "-";
    const last = runs.at(-1);
    if (last?.slot === slot) last.length += 1;
    else runs.push({ slot, length: 1 });
  }
  return runs
    .map(({ slot, length }) => (length === 1 ? slot : `${slot}*${length.toString(36)}`))
    .join(" ");
}

/** The indexes of each slot. */
export function decodeSlots(text: string): number[][] {
  const slots: number[][] = [];
  let index = 0;
  for (const run of text.split(" ")) {
    const [slot = "-", length = "1"] = run.split("*");
    const end = index + Number.parseInt(length, 36);
    for (; index < end; index++)
      if (slot !== "-") (slots[Number.parseInt(slot, 36)] ??= []).push(index);
  }
  return slots;
}
