/**
 * The append: one conditional put of an entry at a lane's tail.
 *
 * L1  A put happens at the tail only, where nothing stands; on conflict the entry found there is followed.
 * L3  An entry found at our offset with our `writer` is ours: success. So a put whose outcome is
 *     unknown is made again, with the same writer.
 * L4  An entry's ttl is at least its predecessor's, its messages' expiry + 1 h, and that of every
 *     dedup record that names it.
 * L6  The belief in a tail is checked before every attempt.
 */
import { isLaneError, LaneError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { StoredMessage } from "../core/message.ts";
import { pack } from "../core/packing.ts";
import { offset } from "../core/types.ts";
import type { LaneId, Offset, QueueId } from "../core/types.ts";
import { entryKey, offsetKey } from "../store/keys.ts";
import { absent } from "../store/port.ts";
import type { Item } from "../store/port.ts";
import { backoffMs, randomId } from "./deps.ts";
import type { Deps } from "./deps.ts";
import type { LogReader } from "./log.ts";
import { tailAfter } from "./tail.ts";
import type { Tail, Tails } from "./tail.ts";

const ATTEMPTS = 12;
/** A conflict at a tail seen longer ago says little of who appends now, and the tail may be far: read it. */
const FRESH_MS = 250;

export interface Draft {
  readonly messages: readonly StoredMessage[];
  readonly body: Uint8Array;
  readonly writer: string;
  /** L4, as far as its messages and their records ask for it; seconds since 1970. */
  readonly minTtl: number;
}

export type Appended =
  | { readonly at: Offset; /** With others that append now. */ readonly conflicts: number }
  /** Others met here more often than the caller had patience for; nothing was stored. */
  | "crowded"
  /** L9: the lane has been retired; read the settings afresh. */
  | "ended";

export type PutOutcome =
  | { readonly is: "stored" }
  | { readonly is: "occupied"; readonly by: Item }
  | { readonly is: "vanished" };

export function draftEntry(deps: Deps, messages: readonly StoredMessage[], minTtl: number): Draft {
  return { messages, body: pack(messages), writer: randomId(deps, 12), minTtl };
}

export class Appender {
  readonly #deps: Deps;
  readonly #log: Pick<LogReader, "learn"> | undefined;
  readonly tails: Tails;

  /** `log`: of a process that has receivers, too. */
  constructor(deps: Deps, tails: Tails, log?: Pick<LogReader, "learn">) {
    this.#deps = deps;
    this.tails = tails;
    this.#log = log;
  }

  /** @throws LaneError `outcome-unknown` when a put may have been applied; other codes: it was not. */
  async append(
    queue: QueueId,
    lane: LaneId,
    messages: readonly StoredMessage[],
    { patience = ATTEMPTS, minTtl }: { patience?: number | undefined; minTtl: number },
  ): Promise<Appended> {
    const draft = draftEntry(this.#deps, messages, minTtl);
    let conflicts = 0;
    let doubt: { readonly at: Offset; readonly error: LaneError } | undefined;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (attempt > 0)
        await this.#deps.sleep(
          backoffMs(this.#deps, Math.min(attempt, 5), doubt === undefined ? 4 : 50, 400),
        );
      let tail: Tail | "ended" | undefined;
      try {
        tail = await this.tails.appendable(queue, lane);
        if (doubt !== undefined && (tail === "ended" || tail.offset !== doubt.at)) {
          const found = await this.#deps.store.get("lanes", entryKey(queue, lane, doubt.at), {
            consistent: true,
          });
          if (found?.["writer"] === draft.writer) return { at: doubt.at, conflicts };
          if (found === undefined) throw doubt.error;
          doubt = undefined;
        }
        if (tail === "ended") return tail;
        const startedAt = this.#deps.clock.now();
        const outcome = await this.put(queue, lane, tail, draft);
        if (outcome.is === "stored") return { at: tail.offset, conflicts };
        this.#deps.onEvent?.({ type: "appendConflict" });
        // Somebody else's entry stands where ours was to go: no put of ours can be applied there any more.
        if (outcome.is === "occupied") doubt = undefined;
        const isStale = startedAt - tail.seenAt > FRESH_MS;
        if (!isStale) conflicts += 1;
        if (isStale || outcome.is === "vanished") this.tails.forget(queue, lane);
        if (conflicts >= patience && doubt === undefined) return "crowded";
      } catch (error) {
        if (!isLaneError(error, "outcome-unknown") || error === doubt?.error)
          throw doubt?.error ?? error;
        // A touch, a seal or an anchor of unknown outcome is read again; a put may stand at its tail.
        if (tail !== undefined && tail !== "ended") doubt = { at: tail.offset, error };
      }
    }
    throw (
      doubt?.error ??
      new LaneError("throttled", "Too many senders met at the end of one lane; nothing was stored.")
    );
  }

  /** One attempt at a tail; what it shows of the lane is believed. */
  async put(queue: QueueId, lane: LaneId, tail: Tail, draft: Draft): Promise<PutOutcome> {
    const { store, clock } = this.#deps;
    const startedAt = clock.now();
    // Of a send that was suspended for long, too: an entry never begins its life past its ttl.
    const soonest = Math.ceil((startedAt + LIMITS.entryTtlAfterExpiryMs) / 1000);
    const ttl = Math.max(tail.last?.ttl ?? 0, draft.minTtl, soonest);
    const result = await store.put(
      "lanes",
      {
        pk: entryKey(queue, lane, tail.offset).pk,
        sk: offsetKey(tail.offset),
        count: draft.messages.length,
        body: draft.body,
        writer: draft.writer,
        sentAt: startedAt,
        ttl,
      },
      absent("pk"),
    );
    if (result.ok || result.found?.["writer"] === draft.writer) {
      const lastTtl = result.ok ? ttl : (result.found?.["ttl"] as number);
      this.tails.believe(queue, lane, {
        offset: offset(tail.offset + draft.messages.length),
        last: { offset: tail.offset, ttl: lastTtl },
        seenAt: startedAt,
      });
      if (result.ok) {
        const { messages } = draft;
        this.#log?.learn(queue, lane, {
          offset: tail.offset,
          count: messages.length,
          sentAt: startedAt,
          ttl,
          messages,
          end: false,
        });
      }
      if (tail.last === undefined) await this.tails.markUsed(queue, lane, tail.offset);
      return { is: "stored" };
    }
    if (
      result.found === undefined ||
      result.found["sealed"] === true ||
      result.found["end"] === true
    ) {
      this.tails.forget(queue, lane);
      return result.found === undefined ? { is: "vanished" } : { is: "occupied", by: result.found };
    }
    this.tails.believe(queue, lane, tailAfter(result.found, startedAt));
    return { is: "occupied", by: result.found };
  }
}
