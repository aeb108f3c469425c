/** What answers are made of. */
import * as v from "valibot";
import { CODES } from "../../core/errors.ts";

export const time = v.pipe(v.string(), v.isoTimestamp());

export const count = v.pipe(v.number(), v.integer(), v.minValue(0));

export const code = v.picklist(Object.keys(CODES) as (keyof typeof CODES)[]);

export const cursor = v.exactOptional(v.string());

export const failure = v.strictObject({ code, detail: v.string(), retryable: v.boolean() });
