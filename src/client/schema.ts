/**
 * Queues with a schema: any library that speaks Standard Schema.
 *
 * The wire carries what the schema takes in: a send validates and sends what it was given, a receive
 * validates and hands out what the schema makes of it. So a schema that transforms (a date from text)
 * fits both ends.
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { LaneMQError } from "./errors.ts";
import type { FieldError } from "../core/errors.ts";

export type Schema<In = unknown, Out = unknown> = StandardSchemaV1<In, Out>;

export type Checked<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly errors: readonly FieldError[] };

export async function check<Out>(
  schema: Schema<unknown, Out>,
  value: unknown,
): Promise<Checked<Out>> {
  const result = await schema["~standard"].validate(value);
  if (result.issues === undefined) return { ok: true, value: result.value };
  return {
    ok: false,
    errors: result.issues.map(({ path = [], message }) => ({
      path: path.map((part) => String(typeof part === "object" ? part.key : part)).join("."),
      message,
    })),
  };
}

/** @throws LaneMQError `invalid-body` */
export async function demandFit(schema: Schema | undefined, body: unknown): Promise<void> {
  if (schema === undefined) return;
  const result = await check(schema, body);
  if (!result.ok) throw misfit(result.errors);
}

function misfit(errors: readonly FieldError[]): LaneMQError {
  const text = errors.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`));
  return new LaneMQError("invalid-body", `The body does not fit: ${text.join("; ")}`, { errors });
}
