/**
 * The JSON of messages in answers. JSON bodies stand in it as they were sent, so this builds text,
 * not values. What it writes is never more than `wireBytes` says (W1).
 */
import type { DeadLetterInfo, OutgoingMessage } from "../core/message.ts";
import type { EpochMs } from "../core/types.ts";
import { goesAsBase64 } from "../core/wire-size.ts";
import type {
  LookedUpMessage,
  MessageState,
  MessageView,
  ReceivedMessage,
  ScheduledMessage,
} from "../service/api.ts";

export function receivedJson(messages: readonly ReceivedMessage[]): string {
  const time = isoTimes();
  const parts = messages.map(
    (message) =>
      `{"id":${quote(message.id)},"receipt":${quote(message.receipt)},${contentJson(message)}` +
      `,"sentAt":${time(message.sentAt)},"firstReceivedAt":${time(message.firstReceivedAt)}` +
      `,"receives":${message.receives},"leaseExpiresAt":${time(message.leaseExpiresAt)}` +
      `${originJson(message)}}`,
  );
  return `{"messages":[${parts.join(",")}]}`;
}

export function scheduledJson(
  messages: readonly ScheduledMessage[],
  cursor: string | undefined,
): string {
  const time = isoTimes();
  const parts = messages.map(
    (message) => `{${viewJson(message, time)},"deliverAt":${time(message.deliverAt)}}`,
  );
  return pageJson(parts, cursor);
}

export function browsedJson(messages: readonly MessageView[], cursor: string | undefined): string {
  const time = isoTimes();
  return pageJson(
    messages.map((message) => `{${viewJson(message, time)}}`),
    cursor,
  );
}

function pageJson(parts: readonly string[], cursor: string | undefined): string {
  const more = cursor === undefined ? "" : `,"cursor":${quote(cursor)}`;
  return `{"messages":[${parts.join(",")}]${more}}`;
}

export function lookedUpJson(message: LookedUpMessage): string {
  const groups = Object.fromEntries(
    Object.entries(message.groups).map(([group, state]) => [group, stateOf(state)]),
  );
  return `{${viewJson(message, isoTimes())},"groups":${JSON.stringify(groups)}}`;
}

const viewJson = (message: MessageView, time: (at: EpochMs) => string): string =>
  `"id":${quote(message.id)},${contentJson(message)},"sentAt":${time(message.sentAt)}` +
  `,"expiresAt":${time(message.expiresAt)}${originJson(message)}`;

/** A message as it was given to be sent. */
export const outgoingJson = (message: OutgoingMessage): string =>
  `{${contentJson(message)}` +
  `${message.ttlSeconds === undefined ? "" : `,"ttlSeconds":${message.ttlSeconds}`}}`;

type Content = Pick<
  MessageView,
  | "kind"
  | "body"
  | "contentType"
  | "headers"
  | "key"
  | "priority"
  | "tenant"
  | "exchange"
  | "routingKey"
>;

function contentJson(message: Content): string {
  const rest =
    `,"contentType":${quote(message.contentType)}` +
    `,"headers":${JSON.stringify(message.headers)}` +
    (message.key === undefined ? "" : `,"key":${quote(message.key)}`) +
    (message.priority === undefined ? "" : `,"priority":${message.priority}`) +
    (message.tenant === undefined ? "" : `,"tenant":${quote(message.tenant)}`) +
    (message.exchange === undefined
      ? ""
      : `,"exchange":${quote(message.exchange)},"routingKey":${quote(message.routingKey ?? "")}`);
  const body = Buffer.from(message.body.buffer, message.body.byteOffset, message.body.byteLength);
  if (message.kind === "json") return `"body":${body.toString("utf8")}${rest}`;
  if (message.kind === "text" && !goesAsBase64(body)) {
    return `"body":${quote(body.toString("utf8"))}${rest}`;
  }
  return `"body":"${body.toString("base64")}","encoding":"base64"${rest}`;
}

/** Where the message stands now, when that is no longer what its id says, and why. */
function originJson(message: MessageView): string {
  const place = message.place === undefined ? "" : `,"place":${quote(message.place)}`;
  if (message.deadLetter === undefined) return place;
  return `${place},"deadLetter":${JSON.stringify(deadLetterOf(message.deadLetter))}`;
}

const deadLetterOf = (info: DeadLetterInfo) => ({
  reason: info.reason,
  queue: info.queue,
  group: info.group,
  lane: info.lane,
  offset: info.offset,
  receives: info.receives,
  ...(info.firstReceivedAt === undefined ? {} : { firstReceivedAt: iso(info.firstReceivedAt) }),
  deadLetteredAt: iso(info.deadLetteredAt),
});

function stateOf(state: MessageState): Record<string, unknown> {
  if (state.state === "leased") return { ...state, leaseExpiresAt: iso(state.leaseExpiresAt) };
  if (state.state === "scheduled") return { ...state, deliverAt: iso(state.deliverAt) };
  if (state.state === "delayed") return { ...state, visibleAt: iso(state.visibleAt) };
  return { ...state };
}

export const iso = (at: EpochMs): string => new Date(at).toISOString();

/** Messages of one entry share their times: the last few are remembered. */
function isoTimes(): (at: EpochMs) => string {
  const known = new Map<EpochMs, string>();
  return (at) => {
    const found = known.get(at);
    if (found !== undefined) return found;
    const text = `"${iso(at)}"`;
    known.set(at, text);
    return text;
  };
}

const quote = (text: string): string => JSON.stringify(text);
