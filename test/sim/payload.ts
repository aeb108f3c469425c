/** Messages that can be told apart and judged byte for byte: all follows from number and size. */
import type { MessageView } from "../../src/service/api.ts";
import type { BodyKind, OutgoingMessage } from "../../src/core/message.ts";

const KINDS: readonly BodyKind[] = ["text", "json", "bytes"];
const TYPES = [
  "text/plain; charset=utf-8",
  "application/json",
  "application/octet-stream",
  "text/x-odd",
] as const;

interface Spec {
  readonly number: number;
  readonly size: number;
  readonly key?: string | undefined;
  readonly times?:
    Pick<OutgoingMessage, "delaySeconds" | "ttlSeconds" | "priority" | "tenant"> | undefined;
}

export function payload({ number, size, key, times }: Spec): OutgoingMessage {
  const kind = KINDS[number % 3] ?? "text";
  return {
    kind,
    body: Buffer.from(text(number, size, kind)),
    contentType: number % 7 === 0 ? TYPES[3] : (TYPES[number % 3] ?? TYPES[0]),
    headers: number % 4 === 0 ? { number: String(number), empty: "" } : {},
    ...(key === undefined ? {} : { key }),
    ...times,
  };
}

/** The number that a body claims to be, `undefined` where it is none of ours. */
export function numberOf(body: Uint8Array): number | undefined {
  const match = /^"?m(\d+);/.exec(
    Buffer.from(body.buffer, body.byteOffset, Math.min(body.length, 24)).toString("latin1"),
  );
  return match?.[1] === undefined ? undefined : Number(match[1]);
}

/** What differs between a message as sent and as read. */
export function difference(sent: OutgoingMessage, view: MessageView): string | undefined {
  // What has no key of its own gets one when it is moved to a queue that keeps order by key.
  if (sent.key !== undefined && view.key !== sent.key) return `key ${view.key} for ${sent.key}`;
  // Kept with the message wherever it goes, but for a queue without priorities.
  if (sent.priority !== undefined && (view.priority ?? 0) !== sent.priority)
    return `priority ${view.priority} for ${sent.priority}`;
  if (view.tenant !== sent.tenant) return `tenant ${view.tenant} for ${sent.tenant}`;
  if (view.kind !== sent.kind) return `kind ${view.kind} for ${sent.kind}`;
  if (view.contentType !== sent.contentType)
    return `content type ${view.contentType} for ${sent.contentType}`;
  if (Buffer.compare(view.body, sent.body) !== 0)
    return `${view.body.length} bytes, not the ${sent.body.length} sent`;
  const names = Object.keys(sent.headers);
  if (
    names.length !== Object.keys(view.headers).length ||
    names.some((name) => view.headers[name] !== sent.headers[name])
  ) {
    return "other headers";
  }
  return undefined;
}

function text(number: number, size: number, kind: BodyKind): string {
  const head = `m${number};`;
  const filler = `${(number * 2_654_435_761) % 4_294_967_296}:`;
  const body = head + filler.repeat(Math.max(0, Math.ceil((size - head.length) / filler.length)));
  return kind === "json" ? `"${body}"` : body;
}
