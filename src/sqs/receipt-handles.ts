/**
 * What the actions on received messages share: handles of one call, and what a result comes to in AWS's words.
 *
 * H1  A handle that this queue never issued fails alone, also where no other was given.
 */
import { isLaneError } from "../core/errors.ts";
import type { ReceiptResult } from "../service/api.ts";
import { invalidValue, missing, SqsError } from "./errors.ts";

type Status = ReceiptResult["status"];

/** @throws SqsError `MissingParameter` */
export function handleOf(given: string | undefined, parameter = "ReceiptHandle"): string {
  if (given === undefined || given === "") throw missing(parameter);
  return given;
}

/** H1 */
export async function statusesOf(
  handles: readonly string[],
  results: Promise<readonly ReceiptResult[]>,
): Promise<readonly Status[]> {
  try {
    return (await results).map(({ status }) => status);
  } catch (error) {
    if (!isLaneError(error, "receipt-invalid")) throw error;
    return handles.map(() => "invalid");
  }
}

export const notIssued = (handle: string): SqsError =>
  new SqsError(
    "ReceiptHandleIsInvalid",
    `The input receipt handle "${handle}" is not a valid receipt handle.`,
  );

export const invalidHandle = (handle: string, reason: string): SqsError =>
  invalidValue(handle, "ReceiptHandle", reason);
