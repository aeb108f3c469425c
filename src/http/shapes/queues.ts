/** Calls about queues. */
import * as v from "valibot";
import type { Operation } from "../routes.ts";
import { prefixQuery } from "../schemas/fields.ts";
import { deadLetter, queueSettings, redriveRequest } from "../schemas/queues.ts";
import { count, cursor, time } from "./fields.ts";
import type { Shape } from "./shape.ts";

export const settings = v.strictObject({
  leaseSeconds: count,
  retentionSeconds: count,
  delaySeconds: count,
  waitSeconds: count,
  maxReceives: v.nullable(count),
  deadLetter: v.nullable(deadLetter),
  onExpired: v.picklist(["drop", "deadLetter"]),
  backoff: v.nullable(
    v.strictObject({
      initialSeconds: count,
      factor: v.number(),
      maxSeconds: count,
      jitter: v.number(),
    }),
  ),
  maxMessageBytes: count,
  eraseOnAck: v.boolean(),
  lanes: v.union([v.literal("auto"), count]),
  priorities: v.union([v.literal(false), v.picklist(["strict", "weighted"])]),
  dedup: v.nullable(
    v.strictObject({
      scope: v.picklist(["queue", "key"]),
      windowSeconds: count,
      contentBased: v.boolean(),
    }),
  ),
  order: v.picklist(["none", "key", "lane"]),
  onPoison: v.picklist(["deadLetter", "block"]),
  tags: v.record(v.string(), v.string()),
});

const summary = { name: v.string(), settings, createdAt: time };

export const queue = v.strictObject({
  ...summary,
  depth: v.strictObject({ ready: count, leased: count, delayed: count }),
  oldestReadyAgeSeconds: count,
  lanes: count,
});

export const QUEUE_SHAPES = {
  putQueue: {
    body: queueSettings,
    statuses: { 201: "Created.", 200: "Updated." },
    answer: queue,
  },
  patchQueue: { body: queueSettings, statuses: { 200: "Updated." }, answer: queue },
  getQueue: { statuses: { 200: "The queue." }, answer: queue },
  listQueues: {
    query: prefixQuery,
    statuses: { 200: "A page of queues; with a cursor, there are more." },
    answer: v.strictObject({ queues: v.array(v.strictObject(summary)), cursor }),
  },
  deleteQueue: { statuses: { 204: "Deleted." } },
  purgeQueue: { statuses: { 204: "Purged." } },
  redrive: {
    body: redriveRequest,
    statuses: { 200: "How many were moved, and how many are left." },
    answer: v.strictObject({ moved: count, remaining: count }),
  },
} satisfies Partial<Record<Operation, Shape>>;
