/** Runs a schema and turns what is wrong into one `invalid-request` with a path for each finding. */
import * as v from "valibot";
import { invalid, joinPath } from "../core/invalid.ts";

export { invalid, joinPath };

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
