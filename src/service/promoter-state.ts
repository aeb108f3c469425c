/**
 * The promoter's item of a shard: whose turn it is, and the place that is named (T1).
 *
 * F1  Behind a fence no timer that is not there any more comes into the log: who has read it, and named
 *     no place yet, finds the item changed; a named place where nothing stands is taken, by a message that
 *     has expired.
 */
import { LaneError } from "../core/errors.ts";
import { ttlOf } from "../core/queue.ts";
import type { QueueRecord } from "../core/queue.ts";
import { laneId, offset } from "../core/types.ts";
import type { LaneId, Offset, QueueId } from "../core/types.ts";
import { promoterKey } from "../store/keys.ts";
import { absent, equal, set } from "../store/port.ts";
import type { Appender } from "./append.ts";
import { draftEntry } from "./append.ts";
import type { Deps } from "./deps.ts";

const ATTEMPTS = 4;
const EMPTY = new Uint8Array();

export interface PromoterState {
  readonly version: number;
  readonly by: string | undefined;
  readonly until: number;
  readonly intent: { readonly lane: LaneId; readonly offset: Offset } | undefined;
}

export async function promoterState(
  { store }: Pick<Deps, "store">,
  queue: QueueId,
  shard: number,
): Promise<PromoterState> {
  const item = await store.get("lanes", promoterKey(queue, shard), { consistent: true });
  const lane = item?.["lane"];
  return {
    version: (item?.["version"] as number | undefined) ?? 0,
    by: item?.["by"] as string | undefined,
    until: (item?.["until"] as number | undefined) ?? 0,
    intent:
      lane === undefined
        ? undefined
        : { lane: laneId(lane as number), offset: offset(item?.["offset"] as number) },
  };
}

/** F1, on every shard. */
export class PromoterFence {
  readonly #deps: Deps;
  readonly #appender: Appender;

  constructor(deps: Deps, appender: Appender) {
    this.#deps = deps;
    this.#appender = appender;
  }

  /** @throws LaneError `throttled`; the store's */
  async raise(record: QueueRecord): Promise<void> {
    for (let shard = 0; shard < record.timerShards; shard++) await this.#raise(record, shard);
  }

  async #raise(record: QueueRecord, shard: number): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const { version, intent } = await promoterState(this.#deps, record.queueId, shard);
      const unchanged = version === 0 ? absent("version") : equal(["version"], version);
      const key = promoterKey(record.queueId, shard);
      const edits = [set(["version"], version + 1)];
      const { ok } = await this.#deps.store.update("lanes", key, edits, unchanged);
      if (!ok) continue;
      if (intent !== undefined) await this.#occupy(record, intent.lane, intent.offset);
      return;
    }
    throw new LaneError("throttled", `Messages of "${record.name}" go on becoming due.`);
  }

  async #occupy({ queueId, settings }: QueueRecord, lane: LaneId, at: Offset): Promise<void> {
    const { tails } = this.#appender;
    tails.forget(queueId, lane);
    const tail = await tails.appendable(queueId, lane);
    if (tail === "ended" || tail.offset !== at) return;
    const now = this.#deps.clock.now();
    const times = { sentAt: now, visibleAt: now, expiresAt: now };
    const filler = { kind: "text", body: EMPTY, contentType: "", headers: {}, ...times } as const;
    const draft = draftEntry(this.#deps, [filler], ttlOf([filler], settings));
    await this.#appender.put(queueId, lane, tail, draft);
  }
}
