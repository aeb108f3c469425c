/**
 * Message attributes: AWS's rules for them, and how they are a message's headers.
 *
 * A1  An attribute is a header of the same name and value, so that messages sent by SQS and by REST are
 *     the same; a Binary's value is base64 there. Data types other than `String` are kept beside the
 *     headers, with their custom suffix.
 * A2  What is refused is refused with AWS's code and text.
 */
import { headerBytes, headerType, isBinaryType } from "../core/message.ts";
import type { OutgoingMessage } from "../core/message.ts";
import { LIMITS } from "../core/limits.ts";
import { ALLOWED, refusedCharacter } from "./characters.ts";
import { SqsError } from "./errors.ts";
import type { Attribute } from "./md5.ts";
import { numberError } from "./number.ts";

/** As a client gives it. */
export interface AttributeValue {
  readonly DataType?: string | undefined;
  readonly StringValue?: string | undefined;
  readonly BinaryValue?: string | undefined;
  readonly StringListValues?: readonly unknown[] | undefined;
  readonly BinaryListValues?: readonly unknown[] | undefined;
}

type Given = Readonly<Record<string, AttributeValue>> | undefined;
type Content = Pick<OutgoingMessage, "headers" | "sqs">;

/** @throws SqsError `InvalidParameterValue`, `UnsupportedOperation` */
export function attributesOf(given: Given): readonly Attribute[] {
  const entries = given === undefined ? [] : Object.entries(given);
  if (entries.length > LIMITS.sqsAttributes)
    throw refused(
      `Number of message attributes [${entries.length}] exceeds the allowed maximum [${LIMITS.sqsAttributes}].`,
    );
  return entries.map(([name, value]) => {
    checkName(name);
    return attributeOf(name, value);
  });
}

/** @throws SqsError `InvalidParameterValue` */
export function traceHeaderOf(given: Given): string | undefined {
  let trace: string | undefined;
  for (const [name, value] of Object.entries(given ?? {})) {
    if (name !== TRACE_HEADER) throw refused(`Message system attribute name '${name}' is invalid.`);
    if (value.DataType !== "String")
      throw refused(
        `The type of message (system) attribute '${name}' is invalid. You must use String.`,
      );
    trace = String(attributeOf(name, value, "system").value);
  }
  return trace;
}

export const TRACE_HEADER = "AWSTraceHeader";

/** A1 */
export function contentOf(attributes: readonly Attribute[], trace: string | undefined): Content {
  if (attributes.length === 0 && trace === undefined) return NOTHING;
  const headers: Record<string, string> = {};
  const types: Record<string, string> = {};
  for (const { name, type, value } of attributes) {
    headers[name] = typeof value === "string" ? value : Buffer.from(value).toString("base64");
    if (type !== "String") types[name] = type;
  }
  const hasTypes = Object.keys(types).length > 0;
  const sqs = { ...(hasTypes ? { types } : {}), ...(trace === undefined ? {} : { trace }) };
  const content = { headers, ...(hasTypes || trace !== undefined ? { sqs } : {}) };
  const bytes = headerBytes(content);
  if (bytes > LIMITS.attributeBytes)
    throw refused(
      `The message attributes take ${bytes} bytes, those of Binary values as base64; LaneMQ stores at most ${LIMITS.attributeBytes} bytes of attributes with a message.`,
    );
  return content;
}

const NOTHING: Content = { headers: {} };

/** A1: a message's headers as attributes, those of them that a receive asks for. */
export function attributesIn(
  { headers, sqs }: Content,
  isAskedFor: (name: string) => boolean,
): readonly Attribute[] {
  return Object.entries(headers).flatMap(([name, value]) => {
    if (!isAskedFor(name)) return [];
    const type = headerType(sqs, name) ?? "String";
    return [{ name, type, value: isBinaryType(type) ? Buffer.from(value, "base64") : value }];
  });
}

export const attributeMap = (attributes: readonly Attribute[]): Record<string, AttributeValue> =>
  Object.fromEntries(
    attributes.map(({ name, type, value }) => [
      name,
      typeof value === "string"
        ? { StringValue: value, DataType: type }
        : { BinaryValue: Buffer.from(value).toString("base64"), DataType: type },
    ]),
  );

/** What counts of attributes towards a message's size. */
export const attributeBytes = (attributes: readonly Attribute[]): number =>
  attributes.reduce(
    (bytes, { name, type, value }) =>
      bytes + Buffer.byteLength(name) + Buffer.byteLength(type) + Buffer.byteLength(value),
    0,
  );

function checkName(name: string): void {
  if (name === "")
    throw refused("The request must contain non-empty message (user) attribute names.");
  if (Buffer.byteLength(name) > LIMITS.sqsAttributeNameBytes)
    throw refused("Message (user) attribute name must be shorter than 256 bytes.");
  const odd = /[^\p{L}\p{Nd}_.-]/u.exec(name)?.[0];
  if (odd !== undefined)
    throw refused(
      `Invalid non-alphanumeric character '#x${odd.codePointAt(0)?.toString(16)}' was found in the message (user) attribute name. Can only include alphanumeric characters, hyphens, underscores, or dots.`,
    );
  if (/^(aws|amazon)\./i.test(name))
    throw refused(
      "You can't use message attribute names beginning with 'AWS.' or 'Amazon'. These strings are reserved for internal use.",
    );
  if (name.startsWith(".") || name.endsWith("."))
    throw refused(
      `The message (user) attribute name '${name}' can't start or end with a '.' character.`,
    );
  if (name.includes(".."))
    throw refused(
      `The message (user) attribute name '${name}' can't have successive '.' characters.`,
    );
  // As a key of an object it would be lost on the way.
  if (name === "__proto__")
    throw refused("LaneMQ takes no message attribute of the name '__proto__'.");
}

function attributeOf(name: string, given: AttributeValue, sort = "user"): Attribute {
  const { DataType: type, StringValue: text, BinaryValue: base64 } = given;
  const it = `message (${sort}) attribute '${name}'`;
  if ((given.StringListValues?.length ?? 0) > 0 || (given.BinaryListValues?.length ?? 0) > 0)
    throw new SqsError(
      "UnsupportedOperation",
      "Message attribute list values in SendMessage operation are not supported.",
    );
  if (type === undefined || type === "") {
    const lacking = text === undefined && base64 === undefined ? "value" : "type";
    throw refused(`The ${it} must contain a non-empty message attribute ${lacking}.`);
  }
  if (!/^(String|Number|Binary)(\..*)?$/su.test(type))
    throw refused(
      `The type of ${it} is invalid. You must use only the following supported type prefixes: Binary, Number, String.`,
    );
  if (Buffer.byteLength(type) > LIMITS.sqsAttributeNameBytes)
    throw refused(`Message (${sort}) attribute type must be shorter than 256 bytes.`);
  checkCharacters(type, `${it} type`);
  const isBinary = isBinaryType(type);
  const value = isBinary ? base64 : text;
  const other = isBinary ? text : base64;
  if (value !== undefined && value !== "" && other !== undefined && other !== "")
    throw refused(`The ${it} has multiple values.`);
  if (value === undefined || value === "")
    throw refused(
      `Message (${sort}) attribute '${name}' must contain a non-empty value of type '${isBinary ? "Binary" : "String"}'.`,
    );
  if (isBinary) return { name, type, value: bytesOf(value, it) };
  checkCharacters(value, `${it} value`);
  const error = type.startsWith("Number") ? numberError(value) : undefined;
  if (error !== undefined) throw refused(error(name));
  return { name, type, value };
}

function checkCharacters(text: string, of: string): void {
  const character = refusedCharacter(text);
  if (character !== undefined)
    throw refused(
      `Invalid binary character '${character}' was found in the ${of}, the set of allowed characters is ${ALLOWED}`,
    );
}

/** With or without padding. */
function bytesOf(base64: string, it: string): Uint8Array {
  const bytes = Buffer.from(base64, "base64");
  const bare = base64.replace(/=+$/, "");
  if (bytes.length > 0 && bytes.toString("base64").replace(/=+$/, "") === bare) return bytes;
  throw refused(`The ${it} contains an invalid Base64 Encoded String as a binary value.`);
}

const refused = (message: string): SqsError => new SqsError("InvalidParameterValue", message);
