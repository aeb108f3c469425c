/** A stored message as readers see it. */
import { originOf, sharingOf } from "../core/message.ts";
import type { StoredMessage } from "../core/message.ts";
import { messageId } from "../core/receipt.ts";
import type { Place } from "../core/receipt.ts";
import type { Lease } from "../core/segment.ts";
import { epochMs } from "../core/types.ts";
import type { MessageView, ReceivedMessage, ScheduledMessage } from "./api.ts";

export function messageView(place: Place, message: StoredMessage, body: Uint8Array): MessageView {
  const here = messageId(place);
  const isElsewhere = message.id !== undefined && message.id !== here;
  return {
    id: message.id ?? here,
    ...(isElsewhere ? { place: here } : {}),
    ...contentView(message, body),
  };
}

/** A message under the lease that it was given with. */
export const receivedView = (
  place: Place,
  message: StoredMessage,
  body: Uint8Array,
  { receipt, lease }: { readonly receipt: string; readonly lease: Lease },
): ReceivedMessage => ({
  receipt,
  firstReceivedAt: lease.firstAt,
  receives: lease.receives,
  leaseExpiresAt: epochMs(lease.until),
  ...messageView(place, message, body),
});

/** A message on its timer, which has no place yet. */
export const scheduledView = (
  message: StoredMessage,
  id: string,
  body: Uint8Array,
): ScheduledMessage => ({ id, ...contentView(message, body), deliverAt: message.visibleAt });

function contentView(message: StoredMessage, body: Uint8Array): Omit<MessageView, "id" | "place"> {
  const sentAs = message.sentAs ?? message.dedupId;
  return {
    kind: message.kind,
    body,
    contentType: message.contentType,
    headers: message.headers,
    ...(message.key === undefined ? {} : { key: message.key }),
    ...sharingOf(message),
    ...originOf(message),
    ...(message.sqs === undefined ? {} : { sqs: message.sqs }),
    ...(sentAs === undefined ? {} : { sentAs }),
    sentAt: message.sentAt,
    expiresAt: message.expiresAt,
    ...(message.deadLetter === undefined ? {} : { deadLetter: message.deadLetter }),
  };
}
