/** Runs a schema and turns what is wrong into one `invalid-request` with a path for each finding. */
import * as v from "valibot";
import { LaneError } from "../core/errors.ts";
import type { FieldError } from "../core/errors.ts";

const REPORTED = 20;

export function validate<S extends v.GenericSchema>(schema: S, input: unknown): v.InferOutput<S> {
  const result = v.safeParse(schema, input);
  if (result.success) return result.output;
  throw invalid(
    result.issues.slice(0, REPORTED).map((issue) => ({
      path: pathOf(issue.path ?? []),
      message: messageOf(issue),
    })),
  );
}

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

const pathOf = (items: readonly { key: unknown }[]): string => {
  let path = "";
  for (const item of items) path = joinPath(path, item.key);
  return path;
};

function messageOf(issue: v.BaseIssue<unknown>): string {
  if (issue.kind === "schema" && issue.type === "strict_object") {
    if (issue.expected === "never") return "is not a known field";
    return issue.expected === "Object" ? "must be an object" : "is required";
  }
  if (issue.kind === "schema" && issue.type === "record") return "must be an object";
  return issue.message;
}

const shorten = (name: string): string =>
  (name.length > 60 ? `${name.slice(0, 60)}…` : name).toWellFormed();
