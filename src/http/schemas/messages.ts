/** Requests that send, receive and settle messages; the face checks messages by `message-in.ts` (M4). */
import * as v from "valibot";
import { LIMITS } from "../../core/limits.ts";
import { PRIORITIES } from "../../core/priority.ts";
import {
  cursor,
  flag,
  headers,
  integer,
  integerParameter,
  name,
  text,
  time,
  wellFormed,
} from "./fields.ts";

export const outgoingMessage = v.strictObject({
  body: v.unknown(),
  contentType: v.exactOptional(
    v.pipe(
      text(1, LIMITS.contentTypeBytes),
      v.regex(/^[\x20-\x7e]+$/, "must be printable ASCII characters"),
    ),
  ),
  encoding: v.exactOptional(v.literal("base64", 'must be "base64"')),
  headers: v.exactOptional(headers),
  key: v.exactOptional(wellFormed(LIMITS.keyChars)),
  delaySeconds: v.exactOptional(integer(0, LIMITS.scheduleSecondsMax)),
  deliverAt: v.exactOptional(time),
  dedupId: v.exactOptional(wellFormed(LIMITS.dedupIdChars)),
  priority: v.exactOptional(integer(0, PRIORITIES - 1)),
  tenant: v.exactOptional(wellFormed(LIMITS.tenantChars)),
  ttlSeconds: v.exactOptional(integer(1, LIMITS.retentionSecondsMax)),
});

export const sendRequest = v.union([
  outgoingMessage,
  v.strictObject({
    messages: v.pipe(v.array(outgoingMessage), v.minLength(1), v.maxLength(LIMITS.messagesPerSend)),
  }),
]);

export const receiveRequest = v.strictObject({
  max: v.optional(integer(1, LIMITS.messagesPerReceive), 1),
  waitSeconds: v.exactOptional(integer(0, LIMITS.waitSecondsMax)),
  leaseSeconds: v.exactOptional(integer(0, LIMITS.leaseSecondsMax)),
  group: v.optional(name, "default"),
});

const receipts = v.pipe(
  v.array(v.string("must be a string"), "must be an array of receipts"),
  v.minLength(1, "must have at least one receipt"),
  v.maxLength(LIMITS.receiptsPerCall, `must have at most ${LIMITS.receiptsPerCall} receipts`),
);

export const ackRequest = v.strictObject({ receipts });

export const releaseRequest = v.strictObject({
  receipts,
  delaySeconds: v.exactOptional(integer(0, LIMITS.releaseDelaySecondsMax)),
  countAttempt: v.optional(flag, true),
});

export const extendRequest = v.strictObject({
  receipts,
  leaseSeconds: integer(0, LIMITS.leaseSecondsMax),
});

export const browseQuery = v.strictObject({
  from: v.exactOptional(cursor),
  limit: v.optional(integerParameter(1, LIMITS.browsePage), "100"),
  lane: v.exactOptional(integerParameter(0, Number.MAX_SAFE_INTEGER)),
});
