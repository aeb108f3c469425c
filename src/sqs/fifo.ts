/** What makes a queue a FIFO queue, and the rules of the ids that go with it. */
import type { QueueSettings } from "../core/queue.ts";
import { invalidValue } from "./errors.ts";

/** A queue of REST that keeps order by key is one, whatever its name. */
export const isFifo = ({ order }: Pick<QueueSettings, "order">): boolean => order === "key";

export const NOT_FOR_THIS_TYPE =
  "The request include parameter that is not valid for this queue type.";

/** Letters, digits and punctuation of ASCII. */
const ID = /^[\x21-\x7e]{1,128}$/;

/** @throws SqsError `InvalidParameterValue` */
export function checkFifoId(value: string, parameter: string): void {
  if (ID.test(value)) return;
  throw invalidValue(
    value,
    parameter,
    `${parameter} can only include alphanumeric and punctuation characters. 1 to 128 in length.`,
  );
}
