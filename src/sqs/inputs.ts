/** Schemas of what several actions take, as AWS reads it: a number or a boolean stands for its text. */
import * as v from "valibot";
import { isObject } from "../http/message-rules.ts";
import type { AttributeValue } from "./message-attributes.ts";

export const textSchema = v.pipe(
  v.union([v.string(), v.number(), v.boolean()]),
  v.transform((value) => (typeof value === "string" ? value : String(value))),
);

export const wholeNumberSchema = v.pipe(v.number(), v.integer());

type Scalar = string | number | boolean | null | undefined;

interface GivenValue {
  readonly DataType?: Scalar;
  readonly StringValue?: Scalar;
  readonly BinaryValue?: Scalar;
  readonly StringListValues?: readonly unknown[] | null;
  readonly BinaryListValues?: readonly unknown[] | null;
}

const isScalar = (value: unknown): boolean =>
  value === undefined || value === null || ["string", "number", "boolean"].includes(typeof value);

const isList = (value: unknown): boolean =>
  value === undefined || value === null || Array.isArray(value);

const isGivenValue = (value: unknown): boolean =>
  isObject(value) &&
  isScalar(value["DataType"]) &&
  isScalar(value["StringValue"]) &&
  isScalar(value["BinaryValue"]) &&
  isList(value["StringListValues"]) &&
  isList(value["BinaryListValues"]);

const textOf = (value: Scalar): string | undefined =>
  value === undefined || value === null ? undefined : String(value);

/** By hand: a record of valibot's drops some names, which are as good as any here. */
export const attributeMapSchema = v.pipe(
  v.custom<Readonly<Record<string, GivenValue>>>(
    (value) => isObject(value) && Object.values(value).every(isGivenValue),
    "is no map of message attributes",
  ),
  v.transform((map): Readonly<Record<string, AttributeValue>> => {
    const entries = Object.entries(map).map(([name, value]): [string, AttributeValue] => [
      name,
      {
        DataType: textOf(value.DataType),
        StringValue: textOf(value.StringValue),
        BinaryValue: textOf(value.BinaryValue),
        StringListValues: value.StringListValues ?? undefined,
        BinaryListValues: value.BinaryListValues ?? undefined,
      },
    ]);
    return Object.fromEntries(entries);
  }),
);
