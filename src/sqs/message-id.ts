/**
 * MessageId: a UUID, which some clients (Spring's) take it for.
 *
 * U1  It is made of the message's id alone (version 5, by name), so that it stays with the message as that does.
 */
import { createHash } from "node:crypto";

const NAMESPACE = Buffer.from("5c1e7d4a8f0b4e539d26a1b37c84f960", "hex");

export function sqsMessageId(id: string): string {
  const bytes = createHash("sha1").update(NAMESPACE).update(id).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x50, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
