/** What is wrong in a request, and where: an `invalid-request` with a path for each finding. */
/// <reference lib="es2024.string" />
import { LaneError } from "./errors.ts";
import type { FieldError } from "./errors.ts";

export function invalid(errors: readonly FieldError[]): LaneError {
  const [first] = errors;
  const detail =
    first === undefined
      ? "The request is not valid."
      : `${first.path === "" ? "The request" : first.path} ${first.message}.`;
  return new LaneError("invalid-request", detail, { errors });
}

/** As in `scopes[0].queues`; names that are no identifiers stand in brackets and quotes. */
export function joinPath(path: string, key: unknown): string {
  if (typeof key === "number") return `${path}[${key}]`;
  const name = shorten(String(key));
  if (!/^[\w$-]+$/.test(name)) return `${path}[${JSON.stringify(name)}]`;
  return path === "" ? name : `${path}.${name}`;
}

const shorten = (name: string): string =>
  (name.length > 60 ? `${name.slice(0, 60)}…` : name).toWellFormed();
