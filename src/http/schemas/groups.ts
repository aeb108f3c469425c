/** Requests about consumer groups. */
import * as v from "valibot";
import { filter, text, time } from "./fields.ts";
import { queueSettings } from "./queues.ts";

const startFrom = v.union(
  [
    v.picklist(["earliest", "latest"]),
    v.strictObject({ time }),
    v.strictObject({ id: text(1, 512) }),
  ],
  'must be "earliest", "latest", { "time": … } or { "id": … }',
);

/** As it stands in a request. */
export type GivenStart = v.InferOutput<typeof startFrom>;

export const seekRequest = v.strictObject({ from: startFrom });

export const groupRequest = v.strictObject({
  from: v.optional(startFrom, "earliest"),
  filter: v.exactOptional(filter),
  maxReceives: queueSettings.entries.maxReceives,
  deadLetter: queueSettings.entries.deadLetter,
});
