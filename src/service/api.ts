/**
 * The service as its faces see it: one method per operation, in validated values. The HTTP face,
 * the SQS face and the janitor call these and nothing else.
 */
import type { BodyKind, DeadLetterInfo, OutgoingMessage, SqsDetails } from "../core/message.ts";
import type {
  EpochMs,
  ExchangeName,
  GroupName,
  LaneId,
  QueueId,
  QueueName,
  ScheduleName,
} from "../core/types.ts";
import type { Binding, BindingSettings, Exchange, ExchangeSettings } from "../core/exchange.ts";
import type { Code } from "../core/errors.ts";
import type { GroupSettings } from "../core/group.ts";
import type { MoveTask } from "../core/move-task.ts";
import type { QueueSettings, SqsPart } from "../core/queue.ts";
import type { Action, ApiKeyScope } from "../core/scope.ts";
import type { Schedule, ScheduleSettings } from "../core/schedule.ts";
import type { Signal } from "../core/signal.ts";

export type { Action, ApiKeyScope, GroupSettings, MoveTask, QueueSettings };

export interface Depth {
  readonly ready: number;
  readonly leased: number;
  readonly delayed: number;
}

/** A queue in a listing: no depth, which would cost reads per queue. */
export interface QueueSummary {
  readonly name: QueueName;
  readonly settings: QueueSettings;
  readonly createdAt: EpochMs;
}

/** A queue without its depth. */
export interface QueueDetails extends QueueSummary {
  /** When its settings, or what SQS says of it, last changed. */
  readonly modifiedAt: EpochMs;
  readonly sqs: SqsPart;
  /** When `clearQueue` last cleared it. */
  readonly clearedAt: EpochMs | undefined;
}

/** Absent: as it is. */
export interface QueueChange {
  readonly settings?: Partial<QueueSettings>;
  readonly sqs?: SqsPart;
}

export interface QueueView extends QueueDetails {
  readonly depth: Depth;
  /** 0 when nothing is ready. */
  readonly oldestReadyAgeSeconds: number;
  /** Lanes that senders append to now. */
  readonly lanes: number;
}

/** Where a group begins: at what it has not read yet, what others have read included. */
export type StartFrom =
  | "earliest"
  | "latest"
  /** Not to come. */
  | { readonly time: EpochMs }
  /** As issued, or a `place`. */
  | { readonly id: string };

/**
 * Where it has come to stand: `earliest`, with nothing that is left before it, also where an earlier
 * time or message was asked for; `latest`, with nothing behind it yet; or `within`.
 */
export type Begins = "earliest" | "within" | "latest";

export interface GroupView {
  readonly name: GroupName;
  readonly settings: GroupSettings;
  readonly createdAt: EpochMs;
  /** The group's lag. */
  readonly depth: Depth;
  /** 0 when nothing is ready. */
  readonly oldestReadyAgeSeconds: number;
}

/** A group in a listing: no depth, which would cost reads per group. */
export type GroupSummary = Pick<GroupView, "name" | "settings" | "createdAt">;

export type SendResult =
  | {
      readonly id: string;
      readonly duplicate?: true;
      /** It waits until then. */
      readonly deliverAt?: EpochMs;
      /** It asked for a time that is over, and is there at once. */
      readonly isPast?: true;
    }
  | {
      readonly error: { readonly code: Code; readonly detail: string; readonly retryable: boolean };
    };

/** Of one message of a publish. `queues` have it; `places` tells the copies of one message apart. */
export type PublishResult =
  | {
      readonly id: string;
      readonly queues: readonly string[];
      readonly places?: Readonly<Record<string, string>>;
      readonly duplicate?: true;
      /** Of a scheduled message. */
      readonly deliverAt?: EpochMs;
    }
  /** It reached none, which the exchange takes for an error, or does not. */
  | { readonly unroutable: true }
  | { readonly queues: readonly [] }
  | {
      readonly error: { readonly code: Code; readonly detail: string; readonly retryable: boolean };
      readonly queues?: readonly string[];
      readonly id?: string;
      readonly places?: Readonly<Record<string, string>>;
      readonly deliverAt?: EpochMs;
    };

/** A message as readers see it, leased or browsed. `body` is encoded by the face. */
export interface MessageView {
  readonly id: string;
  /** Its place, when that is no longer what its id says (dead-lettered, redriven). */
  readonly place?: string;
  readonly kind: BodyKind;
  readonly body: Uint8Array;
  readonly contentType: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly key?: string;
  readonly priority?: number;
  readonly tenant?: string;
  /** Of a published message. */
  readonly exchange?: string;
  readonly routingKey?: string;
  readonly sqs?: SqsDetails;
  /** Name of its dedup record; `core/dedup.ts` reads it. */
  readonly sentAs?: string;
  readonly sentAt: EpochMs;
  readonly expiresAt: EpochMs;
  readonly deadLetter?: DeadLetterInfo;
}

export interface ScheduledMessage extends MessageView {
  readonly deliverAt: EpochMs;
}

export interface ReceivedMessage extends MessageView {
  readonly receipt: string;
  readonly firstReceivedAt: EpochMs;
  readonly receives: number;
  readonly leaseExpiresAt: EpochMs;
}

export type MessageState =
  /** `filtered`: not for the group, which passes it over. */
  | { readonly state: "ready" | "acked" | "filtered" | "expired" | "erased" }
  | { readonly state: "deadLettered"; readonly queue: QueueName; readonly place: string }
  | { readonly state: "scheduled"; readonly deliverAt: EpochMs }
  | { readonly state: "delayed"; readonly visibleAt: EpochMs }
  | { readonly state: "leased"; readonly leaseExpiresAt: EpochMs; readonly receives: number };

export interface LookedUpMessage extends MessageView {
  /** By group. `acked`: it is done with it, or began, was sought or was purged behind it. */
  readonly groups: Readonly<Record<string, MessageState>>;
}

export interface ReceiptResult {
  /**
   * Where the caller asked for it, also: `expired`, the message is still there, but its lease is over
   * (`stale: "refuse"`); `tooLong`, it would be leased for longer than it may (`withinSeconds`).
   */
  readonly status: "done" | "gone" | "invalid" | "expired" | "tooLong";
  /** The receipt to use from now on, where it changed; the old one stays good, and costs a look more. */
  readonly receipt?: string;
}

/**
 * What becomes of a receipt whose lease has run out. Absent: it is good until somebody else has the
 * message. `accept`: it is good all the same, whoever has it by now. `refuse` (ack alone): it is not
 * good from then on.
 */
export interface AckOptions {
  readonly stale?: "accept" | "refuse";
}

export interface ApiKeyView {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly ApiKeyScope[];
  readonly createdAt: EpochMs;
  readonly expiresAt?: EpochMs;
  /** What requests to the SQS face are signed under; a key from before there was one has none. */
  readonly accessKeyId?: string;
}

/** Of what it holds only `key` is ever shown again. */
export interface CreatedKey {
  readonly key: ApiKeyView;
  readonly secret: string;
  readonly secretAccessKey?: string;
}

export interface AccessKey {
  readonly key: ApiKeyView;
  readonly secretAccessKey: string;
}

export interface JanitorReport {
  /** Due times of recurring schedules. */
  readonly fired: number;
  readonly queues: readonly {
    readonly name: QueueName;
    readonly depth: Depth;
    readonly oldestReadyAgeSeconds: number;
  }[];
  readonly deadLettered: number;
  readonly lanesRetired: number;
  readonly deletedQueuesCleared: number;
  /** False: the deadline came first; the next run goes on from there. */
  readonly complete: boolean;
}

export type StartedMove =
  | { readonly task: MoveTask }
  | {
      readonly refused:
        /** No queue or group dead-letters to it. */
        | "not-a-dead-letter-queue"
        | "no-such-destination"
        | "same-queue"
        /** One of the two keeps order, the other does not. */
        | "other-order"
        | "already-active";
    };

export type CancelledMove =
  { readonly task: MoveTask } | { readonly refused: "no-such-task" | "not-running" };

export interface Service {
  /** Creates or updates; `settings` is the whole (PUT: absent means default) or a part (PATCH). */
  putQueue(
    name: QueueName,
    settings: Partial<QueueSettings>,
  ): Promise<{ created: boolean; queue: QueueView }>;
  patchQueue(name: QueueName, settings: Partial<QueueSettings>): Promise<QueueView>;
  /** Creates the queue where there is none. */
  createQueue(
    name: QueueName,
    request: QueueChange,
  ): Promise<{ created: boolean; queue: QueueDetails }>;
  /** Changes the queue to what `decide` says of it; that is asked again where others changed it meanwhile. */
  changeQueue(
    name: QueueName,
    decide: (queue: QueueDetails) => QueueChange | Promise<QueueChange>,
  ): Promise<QueueDetails>;
  getQueue(name: QueueName): Promise<QueueView>;
  /** `cached`: as it was at most 10 s ago. */
  describeQueue(name: QueueName, how?: { cached?: boolean }): Promise<QueueDetails>;
  listQueues(request: {
    prefix?: string;
    limit: number;
    after?: QueueName;
  }): Promise<{ queues: readonly QueueSummary[]; next?: QueueName }>;
  /** `evenIfNamed`: although others dead-letter to it. */
  deleteQueue(name: QueueName, how?: { evenIfNamed?: boolean }): Promise<void>;
  /** The queues that dead-letter to it, themselves or by a group, in the order of their names. */
  deadLetterSources(name: QueueName): Promise<readonly QueueName[]>;
  purgeQueue(name: QueueName): Promise<void>;
  /** Purges it, cancels what is scheduled, and forgets the dedup ids of what was sent. */
  clearQueue(name: QueueName): Promise<void>;
  /** `max` absent: as many as there are, within the call's time; `remaining` says what is left. */
  redrive(
    name: QueueName,
    request: { to?: QueueName; max?: number },
  ): Promise<{ moved: number; remaining: number }>;

  /** Moves a dead-letter queue's messages in the background. `to` absent: each to where it came from. */
  startMove(
    name: QueueName,
    request: { to?: QueueName; ratePerSecond?: number },
  ): Promise<StartedMove>;
  /** The latest first. */
  listMoves(name: QueueName, limit: number): Promise<readonly MoveTask[]>;
  cancelMove(name: QueueName, taskId: string): Promise<CancelledMove>;
  /**
   * Goes on with all moves that are active, until the deadline or until there is nothing to do before
   * it; cheap while there are none. Gives how many steps that were.
   */
  runMoves(deadline: EpochMs, signal?: AbortSignal): Promise<number>;

  /** Creates the group, or makes its settings these; `begins`: it has been created. */
  putGroup(
    queue: QueueName,
    name: GroupName,
    request: { from: StartFrom; settings: GroupSettings },
  ): Promise<{ group: GroupView; begins?: Begins }>;
  getGroup(queue: QueueName, name: GroupName): Promise<GroupView>;
  /** The default one first, then by name. */
  listGroups(queue: QueueName): Promise<readonly GroupSummary[]>;
  deleteGroup(queue: QueueName, name: GroupName): Promise<void>;
  /** Everything from there on is delivered to the group anew, everything before it is passed over. */
  seekGroup(
    queue: QueueName,
    name: GroupName,
    from: StartFrom,
  ): Promise<{ group: GroupView; begins: Begins }>;

  send(
    name: QueueName,
    messages: readonly OutgoingMessage[],
    /** `idempotencyKey`: what makes the request repeatable as a whole. */
    request?: { idempotencyKey?: string },
  ): Promise<readonly SendResult[]>;
  receive(
    name: QueueName,
    request: {
      max: number;
      waitSeconds?: number;
      leaseSeconds?: number;
      group: string;
      /**
       * Where keys are ordered, as SQS has it: as many messages of one key as there are, then the next
       * key's; and what comes back is given as soon as nothing of its key before it is leased, though
       * what is behind it may be.
       */
      drain?: boolean;
      /** Of what is given, by `wireBytes`, but for a first message that is larger by itself. */
      maxBytes?: number;
      /** Made again under the same id within 5 min, it gives the same messages under the same receipts. */
      attempt?: string;
      /** Ends a long wait early, e.g. when the caller hung up. Nothing is leased after it fires. */
      signal?: Signal;
    },
  ): Promise<readonly ReceivedMessage[]>;
  /** Each in order of the receipts given. A receipt may stand twice; both answers are then the first one's. */
  ack(
    name: QueueName,
    receipts: readonly string[],
    options?: AckOptions,
  ): Promise<readonly ReceiptResult[]>;
  release(
    name: QueueName,
    receipts: readonly string[],
    /** `delaySeconds` absent: by the queue's back-off, or at once where it has none. */
    request: { delaySeconds?: number; countAttempt: boolean },
  ): Promise<readonly ReceiptResult[]>;
  /** From now on; 0 gives these messages back at once, alone, and the receipts stay good until somebody has them. */
  extend(
    name: QueueName,
    receipts: readonly string[],
    request: {
      leaseSeconds: number;
      stale?: "accept";
      /** How long one attempt may last in all. */
      withinSeconds?: number;
    },
  ): Promise<readonly ReceiptResult[]>;

  browse(
    name: QueueName,
    request: {
      /** With `queueId` it was taken from a message id, which must be one of this queue. */
      from?: { lane: LaneId; offset: number; queueId?: QueueId };
      /** Lanes before which `from` does not say where to begin: with what came in at or after this. */
      since?: EpochMs;
      lane?: LaneId;
      limit: number;
    },
  ): Promise<{ messages: readonly MessageView[]; next?: { lane: LaneId; offset: number } }>;
  /** `id` as issued, or a `place`. */
  lookUp(name: QueueName, id: string): Promise<LookedUpMessage>;

  /** What waits on a schedule, in the order in which it is due; `after`: the `next` of an earlier page. */
  listScheduled(
    name: QueueName,
    request: { limit: number; after?: string },
  ): Promise<{ messages: readonly ScheduledMessage[]; next?: string }>;
  cancelScheduled(name: QueueName, id: string): Promise<void>;
  /** How many wait, counted up to `max`. */
  countScheduled(name: QueueName, max: number): Promise<number>;
  putExchange(
    name: ExchangeName,
    settings: ExchangeSettings,
  ): Promise<{ created: boolean; exchange: Exchange }>;
  getExchange(name: ExchangeName): Promise<Exchange>;
  listExchanges(request: {
    prefix?: string;
    limit: number;
    after?: ExchangeName;
  }): Promise<{ exchanges: readonly Exchange[]; next?: ExchangeName }>;
  deleteExchange(name: ExchangeName): Promise<void>;
  putBinding(
    name: ExchangeName,
    id: string,
    settings: BindingSettings,
  ): Promise<{ created: boolean; binding: Binding }>;
  getBinding(name: ExchangeName, id: string): Promise<Binding>;
  listBindings(
    name: ExchangeName,
    request: { limit: number; after?: string },
  ): Promise<{ bindings: readonly Binding[]; next?: string }>;
  deleteBinding(name: ExchangeName, id: string): Promise<void>;
  /** Each in order of the messages, which name what they are routed by. */
  publish(
    name: ExchangeName,
    messages: readonly OutgoingMessage[],
    request?: { idempotencyKey?: string },
  ): Promise<readonly PublishResult[]>;

  /** Creates or replaces. */
  putSchedule(
    name: ScheduleName,
    settings: ScheduleSettings,
  ): Promise<{ created: boolean; schedule: Schedule }>;
  getSchedule(name: ScheduleName): Promise<Schedule>;
  listSchedules(request: {
    limit: number;
    after?: ScheduleName;
  }): Promise<{ schedules: readonly Schedule[]; next?: ScheduleName }>;
  deleteSchedule(name: ScheduleName): Promise<void>;
  /** Fires what recurring schedules have due; cheap while nothing is. Gives how many due times that were. */
  fireSchedules(deadline: EpochMs): Promise<number>;

  createKey(request: {
    name: string;
    scopes: readonly ApiKeyScope[];
    expiresAt?: EpochMs;
  }): Promise<CreatedKey>;
  listKeys(request: {
    limit: number;
    after?: string;
  }): Promise<{ keys: readonly ApiKeyView[]; next?: string }>;
  deleteKey(id: string): Promise<void>;
  /** Cached at most 60 s. `undefined`: unknown, revoked or expired. */
  authenticate(secret: string): Promise<ApiKeyView | undefined>;
  /**
   * Who signs under that id, and with what. Cached at most 60 s, as the same object. `undefined`: unknown, revoked
   * or expired.
   */
  accessKey(accessKeyId: string): Promise<AccessKey | undefined>;

  /** One bounded round over all queues; safe to run many at once. */
  runJanitor(deadline: EpochMs): Promise<JanitorReport>;
}
