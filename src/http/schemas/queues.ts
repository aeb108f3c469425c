/** Requests about queues. */
import * as v from "valibot";
import { DEFAULT_DEDUP } from "../../core/dedup.ts";
import { LIMITS } from "../../core/limits.ts";
import { flag, integer, isPlainObject, name, number, routingKey } from "./fields.ts";

const tagMap = v.custom<Readonly<Record<string, string>>>(isPlainObject, "must be an object");

const tags = v.pipe(
  tagMap,
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const input: Readonly<Record<string, unknown>> = dataset.value;
    for (const [key, value] of Object.entries(input)) {
      const message = tagError(key, value);
      if (message === undefined) continue;
      addIssue({ message, path: [{ type: "object", origin: "value", input, key, value }] });
    }
    if (Object.keys(input).length > LIMITS.tagsMax) {
      addIssue({ message: `must have at most ${LIMITS.tagsMax} tags` });
    }
  }),
);

function tagError(key: string, value: unknown): string | undefined {
  if (key === "__proto__") return "is not allowed as a tag";
  if (key.length < 1 || key.length > LIMITS.tagKeyChars) {
    return `is a tag whose name does not have 1 to ${LIMITS.tagKeyChars} characters`;
  }
  if (typeof value !== "string") return "must be a string";
  return value.length > LIMITS.tagValueChars
    ? `must have at most ${LIMITS.tagValueChars} characters`
    : undefined;
}

const SCOPES = ["queue", "key"] as const;

const dedup = v.strictObject({
  scope: v.optional(v.picklist(SCOPES, 'must be "queue" or "key"'), DEFAULT_DEDUP.scope),
  windowSeconds: v.optional(
    integer(LIMITS.dedupWindowSecondsMin, LIMITS.dedupWindowSecondsMax),
    DEFAULT_DEDUP.windowSeconds,
  ),
  contentBased: v.optional(flag, DEFAULT_DEDUP.contentBased),
});

const backoff = v.strictObject({
  initialSeconds: integer(1, LIMITS.backoffSecondsMax),
  factor: v.optional(number(1, LIMITS.backoffFactorMax), 2),
  maxSeconds: v.optional(integer(1, LIMITS.backoffSecondsMax), LIMITS.backoffSecondsMax),
  jitter: v.optional(number(0, 1), 0),
});

export const deadLetter = v.pipe(
  v.strictObject({
    queue: v.exactOptional(name),
    exchange: v.exactOptional(name),
    routingKey: v.exactOptional(routingKey),
  }),
  v.check(
    ({ queue, exchange }) => (queue === undefined) !== (exchange === undefined),
    "must name a queue or an exchange, and not both",
  ),
  v.check(
    ({ queue, routingKey: key }) => queue === undefined || key === undefined,
    "must have a routingKey only with an exchange",
  ),
);

export const queueSettings = v.strictObject({
  leaseSeconds: v.exactOptional(integer(0, LIMITS.leaseSecondsMax)),
  retentionSeconds: v.exactOptional(
    integer(LIMITS.retentionSecondsMin, LIMITS.retentionSecondsMax),
  ),
  delaySeconds: v.exactOptional(integer(0, LIMITS.delaySecondsMax)),
  waitSeconds: v.exactOptional(integer(0, LIMITS.waitSecondsMax)),
  maxReceives: v.exactOptional(v.nullable(integer(1, LIMITS.maxReceivesMax))),
  deadLetter: v.exactOptional(v.nullable(deadLetter)),
  onExpired: v.exactOptional(v.picklist(["drop", "deadLetter"], 'must be "drop" or "deadLetter"')),
  backoff: v.exactOptional(v.nullable(backoff)),
  maxMessageBytes: v.exactOptional(integer(1, LIMITS.messageBytes)),
  eraseOnAck: v.exactOptional(flag),
  order: v.exactOptional(v.picklist(["none", "key", "lane"], 'must be "none", "key" or "lane"')),
  onPoison: v.exactOptional(v.picklist(["deadLetter", "block"], 'must be "deadLetter" or "block"')),
  lanes: v.exactOptional(
    v.union(
      [v.literal("auto"), integer(1, LIMITS.lanesMax)],
      `must be "auto" or a whole number from 1 to ${LIMITS.lanesMax}`,
    ),
  ),
  priorities: v.exactOptional(
    v.union(
      [v.literal(false), v.picklist(["strict", "weighted"])],
      'must be false, "strict" or "weighted"',
    ),
  ),
  dedup: v.exactOptional(v.nullable(dedup)),
  tags: v.exactOptional(tags),
});

export const redriveRequest = v.strictObject({
  to: v.exactOptional(name),
  max: v.exactOptional(integer(1, Number.MAX_SAFE_INTEGER)),
});
