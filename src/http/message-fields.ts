/**
 * The optional fields of a message beside its content, however they come: in JSON, or as query
 * parameters of a raw body. One row a field; the schemas have the same rules for the OpenAPI document,
 * and a property test holds the two together (M4).
 */
import { PRIORITIES } from "../core/priority.ts";
import { LIMITS } from "../core/limits.ts";
import type { OutgoingMessage } from "../core/message.ts";
import { timeError } from "./times.ts";

interface Field {
  /** What is wrong with a value; `undefined`: nothing. */
  readonly error: (value: unknown) => string | undefined;
  /** From the text of a query parameter; what cannot be read is given back as it is, to be refused. */
  readonly read: (text: string) => unknown;
  /** What the service is given for a checked value; absent: that itself. */
  readonly parse?: (value: unknown) => unknown;
}

const textField = (max: number): Field => ({
  error: (value) => {
    if (typeof value !== "string") return "must be a string";
    if (value.length < 1) return "must have at least 1 characters";
    if (value.length > max) return `must have at most ${max} characters`;
    return value.isWellFormed() ? undefined : "must be well-formed Unicode";
  },
  read: (text) => text,
});

const numberField = (min: number, max: number): Field => ({
  error: (value) => {
    if (typeof value !== "number") return "must be a number";
    if (!Number.isInteger(value)) return "must be a whole number";
    if (value < min) return `must be at least ${min}`;
    return value > max ? `must be at most ${max}` : undefined;
  },
  read: (text) => (/^\d{1,15}$/.test(text) ? Number(text) : text),
});

const timeField: Field = {
  error: timeError,
  read: (text) => text,
  parse: (value) => Date.parse(String(value)),
};

export const MESSAGE_FIELDS = {
  key: textField(LIMITS.keyChars),
  delaySeconds: numberField(0, LIMITS.scheduleSecondsMax),
  deliverAt: timeField,
  dedupId: textField(LIMITS.dedupIdChars),
  priority: numberField(0, PRIORITIES - 1),
  tenant: textField(LIMITS.tenantChars),
  ttlSeconds: numberField(1, LIMITS.retentionSecondsMax),
} as const satisfies Partial<Record<keyof OutgoingMessage, Field>>;

/** Those of a recurring schedule's message: when it is sent, and once, is the schedule's affair. */
export const RECURRING_FIELDS = {
  key: MESSAGE_FIELDS.key,
  priority: MESSAGE_FIELDS.priority,
  tenant: MESSAGE_FIELDS.tenant,
  ttlSeconds: MESSAGE_FIELDS.ttlSeconds,
} as const satisfies Partial<Record<keyof OutgoingMessage, Field>>;

/** Those of a message for an exchange. */
export const PUBLISH_FIELDS = {
  ...MESSAGE_FIELDS,
  routingKey: {
    error: (value) => (typeof value === "string" ? routingKeyError(value) : "must be a string"),
    read: (text) => text,
  },
} as const satisfies Partial<Record<keyof OutgoingMessage, Field>>;

type FieldName = keyof typeof PUBLISH_FIELDS;
export type MessageFields = Pick<OutgoingMessage, FieldName>;
export type Fields = Readonly<Partial<Record<FieldName, Field>>>;

/** What is wrong with a routing key; `undefined`: nothing. */
export function routingKeyError(key: string): string | undefined {
  if (Buffer.byteLength(key) > LIMITS.routingKeyBytes) {
    return `must have at most ${LIMITS.routingKeyBytes} bytes`;
  }
  return key.isWellFormed() ? undefined : "must be well-formed Unicode";
}

export const fieldNamed = (fields: Fields, name: string): Field | undefined =>
  Object.hasOwn(fields, name) ? fields[name as FieldName] : undefined;

/** The fields of a message that has been checked. */
export function fieldsOf(message: Readonly<Record<string, unknown>>, names: Fields): MessageFields {
  const fields: Record<string, unknown> = {};
  for (const [name, { parse }] of Object.entries<Field>(names)) {
    const value = message[name];
    if (value !== undefined) fields[name] = parse === undefined ? value : parse(value);
  }
  return fields;
}
