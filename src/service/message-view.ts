/** A stored message as readers see it. */
import type { StoredMessage } from "../core/message.ts";
import { messageId } from "../core/receipt.ts";
import type { Place } from "../core/receipt.ts";
import type { MessageView } from "./api.ts";

export function messageView(place: Place, message: StoredMessage, body: Uint8Array): MessageView {
  const here = messageId(place);
  return {
    id: message.id ?? here,
    ...(message.id === undefined || message.id === here ? {} : { place: here }),
    kind: message.kind,
    body,
    contentType: message.contentType,
    headers: message.headers,
    ...(message.key === undefined ? {} : { key: message.key }),
    sentAt: message.sentAt,
    expiresAt: message.expiresAt,
    ...(message.deadLetter === undefined ? {} : { deadLetter: message.deadLetter }),
  };
}
