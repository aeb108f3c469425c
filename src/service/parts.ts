/**
 * Bodies that stand in items of their own, for they are too large for an entry, or would be written
 * more than once with it.
 *
 * S1  Parts are written before what names them.
 */
import { isLaneError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { headerBytes } from "../core/message.ts";
import type { StoredMessage } from "../core/message.ts";
import { ttlOf } from "../core/queue.ts";
import type { QueueRecord } from "../core/queue.ts";
import { partKey } from "../store/keys.ts";
import type { Item } from "../store/port.ts";
import { randomId } from "./deps.ts";
import type { Deps } from "./deps.ts";

/** Of a body: what an entry takes of it beside the headers. */
const inlineBytesOf = (message: StoredMessage): number =>
  Math.max(0, LIMITS.inlineMessageBytes - headerBytes(message));

/** What a message takes of an entry, once the parts of a large one stand elsewhere. */
export const slimOf = (message: StoredMessage): StoredMessage =>
  message.body.length <= inlineBytesOf(message) ? message : { ...message, body: NO_BODY };

const NO_BODY = new Uint8Array();

/** A message whose body is larger than `inlineBytes`, with that in parts; others as they are. */
export async function writeParts(
  deps: Deps,
  { queueId, settings }: Pick<QueueRecord, "queueId" | "settings">,
  message: StoredMessage,
  inlineBytes: number = inlineBytesOf(message),
): Promise<StoredMessage> {
  if (message.body.length <= inlineBytes) return message;
  const name = randomId(deps, 12);
  const count = Math.ceil(message.body.length / LIMITS.partBytes);
  // Nobody reads a body past its message's expiry, so parts need not wait for an entry that lives longer.
  const ttl = ttlOf([message], settings);
  await Promise.all(
    Array.from({ length: count }, (_, number) => {
      const body = message.body.subarray(
        number * LIMITS.partBytes,
        (number + 1) * LIMITS.partBytes,
      );
      return putPart(deps, { ...partKey(queueId, name, number), body, ttl });
    }),
  );
  return { ...message, body: NO_BODY, parts: { name, count, bytes: message.body.length } };
}

/** Parts have random names and one content, so that writing one twice changes nothing. */
async function putPart(deps: Deps, part: Item): Promise<void> {
  try {
    await deps.store.put("lanes", part);
  } catch (error) {
    if (!isLaneError(error, "outcome-unknown")) throw error;
    await deps.store.put("lanes", part);
  }
}
