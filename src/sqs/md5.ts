/**
 * The digests of SQS, by which clients check that what arrived is what was sent.
 *
 * D1  A digest of attributes covers exactly those that go with it, by name in order of UTF-16 units: name
 *     and data type with custom suffix, then a byte for the kind of value, then the value, each behind its
 *     length in 4 bytes.
 */
import { createHash } from "node:crypto";

/** An attribute as SQS has it: bytes where the data type is a `Binary`. */
export interface Attribute {
  readonly name: string;
  readonly type: string;
  readonly value: string | Uint8Array;
}

const STRING_VALUE = Uint8Array.of(1);
const BINARY_VALUE = Uint8Array.of(2);

export const md5 = (content: string | Uint8Array): string =>
  createHash("md5").update(content).digest("hex");

/** `undefined` of none: SQS leaves the digest out. */
export function md5OfAttributes(attributes: readonly Attribute[]): string | undefined {
  if (attributes.length === 0) return undefined;
  const pieces: Uint8Array[] = [];
  const add = (content: string | Uint8Array): void => {
    const bytes = typeof content === "string" ? Buffer.from(content, "utf8") : content;
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    pieces.push(length, bytes);
  };
  for (const { name, type, value } of attributes.toSorted(byName)) {
    add(name);
    add(type);
    pieces.push(typeof value === "string" ? STRING_VALUE : BINARY_VALUE);
    add(value);
  }
  return md5(Buffer.concat(pieces));
}

const byName = (a: Attribute, b: Attribute): number => (a.name < b.name ? -1 : 1);
