/** Calls about consumer groups. */
import * as v from "valibot";
import type { Operation } from "../routes.ts";
import { filter } from "../schemas/fields.ts";
import { groupRequest, seekRequest } from "../schemas/groups.ts";
import { count, time } from "./fields.ts";
import { queue, settings } from "./queues.ts";
import type { Shape } from "./shape.ts";

const groupSummary = {
  name: v.string(),
  settings: v.strictObject({
    filter: v.exactOptional(filter),
    maxReceives: v.exactOptional(settings.entries.maxReceives),
    deadLetter: v.exactOptional(settings.entries.deadLetter),
  }),
  createdAt: time,
};

export const group = v.strictObject({
  ...groupSummary,
  begins: v.exactOptional(v.picklist(["earliest", "within", "latest"])),
  depth: queue.entries.depth,
  oldestReadyAgeSeconds: count,
});

export const GROUP_SHAPES = {
  putGroup: {
    body: groupRequest,
    statuses: { 201: "Created, and where it begins.", 200: "Updated." },
    answer: group,
  },
  getGroup: { statuses: { 200: "The group." }, answer: group },
  listGroups: {
    statuses: { 200: "All groups of the queue, the default one first." },
    answer: v.strictObject({ groups: v.array(v.strictObject(groupSummary)) }),
  },
  deleteGroup: { statuses: { 204: "Deleted." } },
  seekGroup: {
    body: seekRequest,
    statuses: { 200: "The group, and where it has come to stand." },
    answer: group,
  },
} satisfies Partial<Record<Operation, Shape>>;
