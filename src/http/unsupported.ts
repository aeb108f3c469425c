/**
 * What the API names but does not do yet. It is refused by name, never ignored, so that a caller who
 * relies on it learns so. Whoever builds one of these deletes its row.
 */
import { LaneError } from "../core/errors.ts";

/** `accept`: the one value that says what happens anyway. */
interface Row {
  readonly accept?: string | boolean;
}

export const UNSUPPORTED = {
  settings: {},
  /** Fields of a message, and query parameters of a raw one. */
  message: {},
} as const satisfies Record<string, Record<string, Row>>;

/** What is wrong with naming `field`; `undefined`: it is not in the table, or has the value that holds anyway. */
export function unsupported(
  table: Readonly<Record<string, Row>>,
  field: string,
  value: unknown,
): string | undefined {
  const row = Object.hasOwn(table, field) ? table[field] : undefined;
  if (row === undefined || (row.accept !== undefined && row.accept === value)) return undefined;
  return row.accept === undefined
    ? "is not supported yet"
    : `is not supported yet, except as ${JSON.stringify(row.accept)}`;
}

/** `object` without the fields that only say what happens anyway. */
export function withoutUnsupported(
  table: Readonly<Record<string, Row>>,
  object: Readonly<Record<string, unknown>>,
  at = "",
): Record<string, unknown> {
  const errors: { path: string; message: string }[] = [];
  const entries = Object.entries(object).filter(([field, value]) => {
    const message = unsupported(table, field, value);
    if (message !== undefined) errors.push({ path: at + field, message });
    return !Object.hasOwn(table, field);
  });
  const first = errors[0];
  if (first !== undefined) {
    throw new LaneError("invalid-request", `${first.path} ${first.message}.`, { errors });
  }
  return Object.fromEntries(entries);
}
