/**
 * Every stored item in one place: its key, its attributes, who writes it, who reads it, how it ends.
 *
 * Table `lanes` (TTL attribute `ttl`, seconds since 1970):
 *
 * entry    pk `log#<queueId>#<lane>`, sk offset (16 digits)
 *          count, body (packed messages, `core/packing.ts`), writer (random per append), sentAt (ms),
 *          ttl; later perhaps: sealed (L5), erased (eraseOnAck); an end entry (L9) has `end`, count 0.
 *          Written by append; read by receive, browse, look-up, depth. Only TTL deletes it.
 * anchor   pk `anchor#<queueId>#<lane>`, sk `-`
 *          base, since (ms), token; `used` once the run has had an entry; `ended` once the lane has its end entry (L9). No ttl.
 *          Written and read by append (L7), read by depth; deleted by the janitor with its queue or lane.
 * cursor   pk `cursor#<queueId>#<lane>`, sk `<groupId>`
 *          segments (string: base-36 start of the first, then base-36 distances), generation, version,
 *          `next` {generation, start, seek: its number} while a purge or seek is under way (C8),
 *          sought: number of the last seek (Y5).
 *          Absent: generation 0 with one segment at offset 0. Written by receive (cut, close), purge, seek, and
 *          by the making of a group that begins elsewhere.
 * segment  pk `cursor#<queueId>#<lane>`, sk `<groupId>#<generation>#<start>`
 *          head, headEntry, version, `end` once cut, `closed`, ttl once it left the cursor;
 *          per lease `x#<id>` {u: until ms, r: receives (absent: 1), e: offset of the entry that members count from,
 *          f: first received ms, d: the queue it is on its way to, v: true for a redrive, o: true when it has expired, w: true when released with a delay,
 *          a: id of the lease that the attempt began with, where an extension has moved its messages here,
 *          s: true once something has left it that was not acked in it}
 *          and `p#<id>` (string set of what is pending: base-36 of offset − e);
 *          `held` is strict mode's, not yet used.
 *          Absent: nothing claimed yet. Written by receive, ack, release, extend, dead-lettering.
 * dedup    pk `dedup#<queueId>#<dedupId>`, sk `-`
 *          lane, offset: the place of the put that its writer is about to make (an intent, not a
 *          result), version, ttl. Written by exactly-once appends; TTL ends it, and its entry outlives it.
 *          <dedupId> begins with its sort: send#, sendOfKey#, content#, contentOfKey#, deadLetter#, redrive#,
 *          request#; once the queue was cleared the first four say when, as send.<time>#. That of a request
 *          has also hash (its fingerprint), slots (which message is in which entry), and for each entry after
 *          the first lane, offset and version with its number behind them.
 * choice   pk `choice#<exchange>#<message>`, sk `-`: queues (list of names), ttl.
 *          What a balance exchange chose for a message that may be published again. Written and read by
 *          publish and dead-lettering; TTL ends it, never before the dedup records of the copies.
 * attempt  pk `attempt#<queueId>#<groupId>#<id>`, sk `-`
 *          given (JSON: receipts, and until when their leases run), at (ms), ttl; repeats (list of ms): until
 *          when repeats renewed them, or were about to. Written and read by receives that can be made again; TTL ends it.
 * timer    pk `timer#<queueId>#<shard>`, sk time of promotion (16 digits) `#` tag
 *          body (packed message, its id included), putAt (ms), ttl; once cancelled: no body, `cancelled` (random).
 *          Written by send; read by receive, look-up, listing; deleted once its message stands in the log.
 * promoter pk `timer#<queueId>#<shard>`, sk `-`
 *          version, by and until (a lease, ms), lane and offset: the place of the put that its holder is about
 *          to make, until the timers of that entry are deleted. No ttl; the janitor deletes it with its queue.
 * promoted pk `promoted#<queueId>#<shard>`, sk of the entry's last timer
 *          first (sk), lane, offset, ttl (the entry's): where the timers of one entry have gone.
 *          Written before they are deleted; read by look-up, and before timers are promoted.
 * part     pk `part#<queueId>#<name>`, sk number (4 digits)
 *          body (bytes), ttl not before its entry's. Written before the entry that names it.
 * moveTask pk `moveTask#<queueId>`, sk its start (16 digits) `#` taskId: a move task that has ended, as below, and ttl.
 *
 * Table `catalog`:
 *
 * format   pk `format`, sk `-`: version of the stored format, checked on start (`store/format.ts`).
 * queue    pk `queue`, sk name
 *          queueId, settings (JSON), lanes (map: open, ended, next; shared once a tenant has sent), secret (receipts), createdAt, version,
 *          modifiedAt (of settings and sqs; absent: since its creation), sqs (JSON: what only SQS says of it),
 *          clearedAt (when its dedup memory was last cleared, which stands in the names of dedup records since),
 *          sources (set: who dead-letters to it: `queue`, or `queue/group`), groups (set: names of groups
 *          beside `default`, or of what is left of them), timerShards once a message was scheduled,
 *          deletedAt once it is a tombstone.
 *          Written by the queue operations, lane growth and the janitor; read by everyone, cached 10 s.
 * group    pk `group#<queueId>`, sk name
 *          groupId, settings (JSON), createdAt, version, seeks, drained (ended lanes that it is through
 *          with), deletedAt once it is a tombstone, which the janitor ends when it has cleared its cursors.
 *          Written by the group operations and the janitor; read by receive, cached 10 s.
 *          sk `#<groupId>`: deletedAt. The grave of a group whose name is used again before that.
 * grave    pk `grave`, sk queueId: lanes (count ever used), timerShards, deletedAt. What the janitor has still to clear.
 * schedule pk `schedule`, sk name: scheduleId (new for every creation), settings (JSON, the message without its
 *          body), body, createdAt, since (what an interval counts from), nextAt (the first due time not yet
 *          fired), version. Written by the schedule operations and by who fires; read by the janitor.
 * moveTask pk `moveTask`, sk queueId of the source: the one active move task of that queue
 *          taskId, queueId, queue (name), to (name), ratePerSecond, status, failure, moved, total, startedAt, updatedAt,
 *          version, notBefore (ms: a lease, or a pause), nextAt (ms: when its rate lets the next message go).
 *          Written by start, cancel, and whoever moves; read by them and the janitor. Once its status says that
 *          it has ended, it is put into `lanes`, and then deleted here, by whoever meets it.
 * key      pk `key`, sk id: name, hash (SHA-256 of the secret), scopes, createdAt, expiresAt,
 *          sealed (the access key's secret, encrypted; its id follows from the key's), where there is one.
 * exchange pk `exchange`, sk name: exchangeId, settings (JSON), createdAt, `revision` (random, another
 *          one after every change of settings or bindings), `deleting` once its bindings are being cleared.
 *          Written by the exchange operations; read by publish and dead-lettering, cached 10 s.
 * binding  pk `binding#<exchangeId>`, sk its id: `binding` (JSON). Ends with its exchange.
 * janitor  pk `janitor`, sk `-`: `after`, the queue that the last bounded round ended with.
 */
import type {
  EpochMs,
  ExchangeName,
  GroupId,
  GroupName,
  LaneId,
  Offset,
  QueueId,
  QueueName,
  ScheduleName,
} from "../core/types.ts";
import type { Key } from "./port.ts";

const OFFSET_DIGITS = 16;

const timeKey = (at: EpochMs): string => String(at).padStart(OFFSET_DIGITS, "0");

/** An offset as a sort key: zero-padded, so that order of text is order of number. */
export const offsetKey = (offset: Offset): string => String(offset).padStart(OFFSET_DIGITS, "0");
export const offsetOfKey = (sk: string): Offset => Number(sk) as Offset;

export const logKey = (queue: QueueId, lane: LaneId): string => `log#${queue}#${lane}`;
export const entryKey = (queue: QueueId, lane: LaneId, at: Offset): Key => ({
  pk: logKey(queue, lane),
  sk: offsetKey(at),
});
export const anchorKey = (queue: QueueId, lane: LaneId): Key => ({
  pk: `anchor#${queue}#${lane}`,
  sk: "-",
});
export const cursorKey = (queue: QueueId, lane: LaneId, group: GroupId): Key => ({
  pk: `cursor#${queue}#${lane}`,
  sk: group,
});
export const segmentKey = (
  queue: QueueId,
  lane: LaneId,
  group: GroupId,
  generation: number,
  start: Offset,
): Key => ({
  pk: `cursor#${queue}#${lane}`,
  sk: `${group}#${generation}#${offsetKey(start)}`,
});

/** What the keys of a group's segments of one generation begin with; `undefined`: this is none of them. */
export function segmentsPrefix({ pk, sk }: Key): string | undefined {
  const end = pk.startsWith("cursor#") ? sk.lastIndexOf("#") + 1 : 0;
  return end === 0 ? undefined : sk.slice(0, end);
}

export const dedupKey = (queue: QueueId, dedupId: string): Key => ({
  pk: `dedup#${queue}#${dedupId}`,
  sk: "-",
});
export const attemptKey = (queue: QueueId, group: GroupId, id: string): Key => ({
  pk: `attempt#${queue}#${group}#${id}`,
  sk: "-",
});
export const timersKey = (queue: QueueId, shard: number): string => `timer#${queue}#${shard}`;
/** Behind every timer that is promoted by then. */
export const timersUntil = (at: EpochMs): string => `${timeKey(Math.floor(at) as EpochMs)}#~`;
/** Before every timer, behind the promoter. */
export const FIRST_TIMER = "0";
export const timerSortKey = (at: EpochMs, tag: string): string => `${timeKey(at)}#${tag}`;
export function timerOfKey(sk: string): { at: EpochMs; tag: string } {
  const [at, tag] = sk.split("#");
  return { at: Number(at) as EpochMs, tag: tag ?? "" };
}
export const promoterKey = (queue: QueueId, shard: number): Key => ({
  pk: timersKey(queue, shard),
  sk: "-",
});
export const promotedKey = (queue: QueueId, shard: number): string => `promoted#${queue}#${shard}`;
export const choiceKey = (exchange: string, message: string): Key => ({
  pk: `choice#${exchange}#${message}`,
  sk: "-",
});
export const partsKey = (queue: QueueId, name: string): string => `part#${queue}#${name}`;
export const partKey = (queue: QueueId, name: string, number: number): Key => ({
  pk: partsKey(queue, name),
  sk: String(number).padStart(4, "0"),
});

export const endedMoveTasksKey = (queue: QueueId): string => `moveTask#${queue}`;
export const endedMoveTaskKey = (queue: QueueId, startedAt: EpochMs, taskId: string): Key => ({
  pk: endedMoveTasksKey(queue),
  sk: `${timeKey(startedAt)}#${taskId}`,
});

export const QUEUES = "queue";
export const queueKey = (name: QueueName): Key => ({ pk: QUEUES, sk: name });
export const groupsKey = (queue: QueueId): string => `group#${queue}`;
export const groupKey = (queue: QueueId, name: GroupName): Key => ({
  pk: groupsKey(queue),
  sk: name,
});
/** No name begins with `#`. */
export const groupGraveKey = (queue: QueueId, group: GroupId): Key => ({
  pk: groupsKey(queue),
  sk: `#${group}`,
});
export const GRAVES = "grave";
export const graveKey = (queue: QueueId): Key => ({ pk: GRAVES, sk: queue });
export const SCHEDULES = "schedule";
export const scheduleKey = (name: ScheduleName): Key => ({ pk: SCHEDULES, sk: name });
export const MOVE_TASKS = "moveTask";
export const moveTaskKey = (queue: QueueId): Key => ({ pk: MOVE_TASKS, sk: queue });
export const API_KEYS = "key";
export const apiKeyKey = (id: string): Key => ({ pk: API_KEYS, sk: id });
export const EXCHANGES = "exchange";
export const exchangeKey = (name: ExchangeName): Key => ({ pk: EXCHANGES, sk: name });
export const bindingsKey = (exchangeId: string): string => `binding#${exchangeId}`;
export const bindingKey = (exchangeId: string, id: string): Key => ({
  pk: bindingsKey(exchangeId),
  sk: id,
});
export const JANITOR: Key = { pk: "janitor", sk: "-" };
export const FORMAT: Key = { pk: "format", sk: "-" };
