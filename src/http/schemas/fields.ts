/** What requests are made of, and the query of a list. */
import * as v from "valibot";
import { LIMITS } from "../../core/limits.ts";
import { routingKeyError } from "../message-fields.ts";
import { headerNameError } from "../message-rules.ts";
import { ISO_TIME, isRealTime, NO_ISO_TIME, NO_REAL_TIME } from "../times.ts";

export const integer = (min: number, max: number) =>
  v.pipe(
    v.number("must be a number"),
    v.integer("must be a whole number"),
    v.minValue(min, `must be at least ${min}`),
    v.maxValue(max, `must be at most ${max}`),
  );

export const number = (min: number, max: number) =>
  v.pipe(
    v.number("must be a number"),
    v.minValue(min, `must be at least ${min}`),
    v.maxValue(max, `must be at most ${max}`),
  );

export const name = v.pipe(
  v.string("must be a string"),
  v.regex(/^[A-Za-z0-9_.-]{1,80}$/, "must be 1 to 80 characters of A-Z a-z 0-9 _ - ."),
);

export const text = (min: number, max: number) =>
  v.pipe(
    v.string("must be a string"),
    v.minLength(min, `must have at least ${min} characters`),
    v.maxLength(max, `must have at most ${max} characters`),
  );

/** 1 to `max` characters without lone surrogates. */
export const wellFormed = (max: number) =>
  v.pipe(
    text(1, max),
    v.check((value) => value.isWellFormed(), "must be well-formed Unicode"),
  );

export const flag = v.boolean("must be true or false");

export const time = v.pipe(
  v.string("must be a string"),
  v.regex(ISO_TIME, NO_ISO_TIME),
  v.check(isRealTime, NO_REAL_TIME),
);

export const headerName = v.pipe(
  v.string("must be a string"),
  v.check(
    (value) => headerNameError(value) === undefined,
    (issue) => headerNameError(issue.input) ?? "",
  ),
);

export const routingKey = v.pipe(
  v.string("must be a string"),
  v.check(
    (value) => routingKeyError(value) === undefined,
    (issue) => routingKeyError(issue.input) ?? "",
  ),
);

export const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

// Not record schemas: those take arrays, and drop `constructor` and its like silently.
export const headers = v.custom<Readonly<Record<string, string>>>(
  (value) => isPlainObject(value) && Object.values(value).every((one) => typeof one === "string"),
  "must be an object of strings",
);

/** `core/pattern.ts` says what is wrong with one. */
export const filter = v.custom<Readonly<Record<string, unknown>>>(
  isPlainObject,
  "must be an object",
);

export const nothing = v.strictObject({});

/** A query parameter is text; it is read as a whole number in plain decimal digits. */
export const integerParameter = (min: number, max: number) =>
  v.pipe(
    v.string(),
    v.regex(/^\d{1,15}$/, `must be a whole number from ${min} to ${max}`),
    v.transform(Number),
    v.minValue(min, `must be at least ${min}`),
    v.maxValue(max, `must be at most ${max}`),
    v.metadata({ parameter: { type: "integer", minimum: min, maximum: max } }),
  );

export const cursor = text(1, 1024);

/** Of a list that is read page by page. */
export const pageQuery = v.strictObject({
  limit: v.optional(integerParameter(1, LIMITS.listPage), "100"),
  cursor: v.exactOptional(cursor),
});

/** The same, of what is listed by the beginning of its name. */
export const prefixQuery = v.strictObject({
  prefix: v.exactOptional(
    v.pipe(
      v.string(),
      v.regex(/^[A-Za-z0-9_.-]{0,80}$/, "must be at most 80 characters of A-Z a-z 0-9 _ - ."),
    ),
  ),
  ...pageQuery.entries,
});
