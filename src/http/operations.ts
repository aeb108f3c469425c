/**
 * One handler per operation of the table: from a request to a call of the service and back. By the
 * time one runs, its route is found and its caller is known and may act on the queue of the path.
 */
import { LaneError } from "../core/errors.ts";
import { epochMs, queueName } from "../core/types.ts";
import type {
  QueueSettings,
  QueueSummary,
  QueueView,
  ReceiptResult,
  SendResult,
} from "../service/api.ts";
import { json, noContent, problem } from "./answer.ts";
import type { Answer } from "./answer.ts";
import { demand, demandDeadLetter } from "./authorise.ts";
import { deleteGroup, getGroup, listGroups, putGroup, seekGroup } from "./groups.ts";
import { EXCHANGE_OPERATIONS } from "./exchanges.ts";
import { SCHEDULE_OPERATIONS } from "./schedules.ts";
import { bodyAs, idOf, objectOf, queueOf } from "./call.ts";
import type { Call, Handler } from "./call.ts";
import { browse, listKeys, listQueues, listScheduled, keyJson } from "./listings.ts";
import { idempotencyKeyOf, messagesOf } from "./message-in.ts";
import { iso, lookedUpJson, receivedJson } from "./message-out.ts";
import type { Operation } from "./routes.ts";
import { nothing } from "./schemas/fields.ts";
import { createKeyRequest } from "./schemas/keys.ts";
import { ackRequest, extendRequest, receiveRequest, releaseRequest } from "./schemas/messages.ts";
import { queueSettings, redriveRequest } from "./schemas/queues.ts";

export const OPERATIONS: Readonly<Record<Operation, Handler>> = {
  putQueue: async (call) => {
    const { created, queue } = await call.service.putQueue(queueOf(call), settingsOf(call));
    return json(created ? 201 : 200, queueJson(queue));
  },
  patchQueue: async (call) =>
    json(200, queueJson(await call.service.patchQueue(queueOf(call), settingsOf(call)))),
  getQueue: async (call) => json(200, queueJson(await call.service.getQueue(queueOf(call)))),
  listQueues: async (call) => listQueues(call, queueSummary),
  deleteQueue: async (call) => {
    await call.service.deleteQueue(queueOf(call));
    return noContent();
  },
  purgeQueue: async (call) => {
    bodyAs(nothing, call);
    await call.service.purgeQueue(queueOf(call));
    return noContent();
  },
  redrive: async (call) => {
    const { to, max } = bodyAs(redriveRequest, call);
    const target = to === undefined ? undefined : queueName(to, "to");
    if (target !== undefined) demand(call.caller, ["send", "manage"], target);
    const result = await call.service.redrive(queueOf(call), {
      ...(target === undefined ? {} : { to: target }),
      ...(max === undefined ? {} : { max }),
    });
    return json(200, JSON.stringify({ moved: result.moved, remaining: result.remaining }));
  },
  putGroup: async (call) => putGroup(call, queueOf(call), objectOf(call)),
  getGroup: async (call) => getGroup(call, queueOf(call)),
  listGroups: async (call) => listGroups(call, queueOf(call)),
  deleteGroup: async (call) => deleteGroup(call, queueOf(call)),
  seekGroup: async (call) => seekGroup(call, queueOf(call), objectOf(call)),
  send: async (call) => {
    const idempotencyKey = idempotencyKeyOf(call.event);
    const request = idempotencyKey === undefined ? undefined : { idempotencyKey };
    return sendAnswer(await call.service.send(queueOf(call), messagesOf(call.event), request));
  },
  receive: async (call) => {
    const request = bodyAs(receiveRequest, call);
    const wait = call.signal === undefined ? request : { signal: call.signal, ...request };
    return json(200, receivedJson(await call.service.receive(queueOf(call), wait)));
  },
  ack: async (call) => {
    const { receipts } = bodyAs(ackRequest, call);
    return receiptAnswer(await call.service.ack(queueOf(call), receipts));
  },
  release: async (call) => {
    const { receipts, ...request } = bodyAs(releaseRequest, call);
    return receiptAnswer(await call.service.release(queueOf(call), receipts, request));
  },
  extend: async (call) => {
    const { receipts, ...request } = bodyAs(extendRequest, call);
    return receiptAnswer(await call.service.extend(queueOf(call), receipts, request));
  },
  browse: async (call) => browse(call, queueOf(call)),
  lookUp: async (call) =>
    json(200, lookedUpJson(await call.service.lookUp(queueOf(call), idOf(call)))),
  listScheduled: async (call) => listScheduled(call, queueOf(call)),
  cancelScheduled: async (call) => {
    await call.service.cancelScheduled(queueOf(call), idOf(call));
    return noContent();
  },
  ...EXCHANGE_OPERATIONS,
  ...SCHEDULE_OPERATIONS,
  createKey: async (call) => {
    const { expiresAt, ...request } = bodyAs(createKeyRequest, call);
    const expires = expiresAt === undefined ? {} : { expiresAt: epochMs(Date.parse(expiresAt)) };
    const { key, secret, secretAccessKey } = await call.service.createKey({
      ...request,
      ...expires,
    });
    return json(201, JSON.stringify({ ...keyJson(key), secret, secretAccessKey }));
  },
  listKeys,
  deleteKey: async (call) => {
    await call.service.deleteKey(idOf(call));
    return noContent();
  },
  health: async () => json(200, '{"status":"ok"}'),
  openapi: async ({ openapi }) => {
    if (openapi === undefined) throw new LaneError("not-found", "This face carries no document.");
    return json(200, openapi);
  },
};

function settingsOf(call: Call): Partial<QueueSettings> {
  const settings = bodyAs(queueSettings, call) as Partial<QueueSettings>;
  // Else a key for some queues could have messages moved into others.
  demandDeadLetter(call.caller, settings.deadLetter);
  return settings;
}

/** One that failed alone, or all that failed, is an error; else each message has its own result. */
function sendAnswer(results: readonly SendResult[]): Answer {
  const failed = results.flatMap((result) => ("error" in result ? [result.error] : []));
  const [first] = failed;
  const messages = results.map((result) =>
    "error" in result
      ? { error: result.error }
      : {
          id: result.id,
          ...(result.duplicate ? { duplicate: true } : {}),
          ...(result.deliverAt === undefined ? {} : { deliverAt: iso(result.deliverAt) }),
          ...(result.isPast ? { isPast: true } : {}),
        },
  );
  if (first === undefined || failed.length < results.length) {
    return json(201, JSON.stringify({ messages }));
  }
  // "May have been stored" is true of the whole as soon as it is of one message.
  const worst = failed.find(({ code }) => code === "outcome-unknown") ?? first;
  return problem(new LaneError(worst.code, worst.detail), { messages });
}

function receiptAnswer(results: readonly ReceiptResult[]): Answer {
  if (results.every(({ status }) => status === "invalid")) {
    throw new LaneError("receipt-invalid", "No receipt is one that this queue issued.", {
      errors: results.slice(0, 20).map((_, index) => ({
        path: `receipts[${index}]`,
        message: "is not a receipt of this queue",
      })),
    });
  }
  const answers = results.map(({ status, receipt }) =>
    receipt === undefined ? { status } : { status, receipt },
  );
  return json(200, JSON.stringify({ results: answers }));
}

const queueSummary = (queue: QueueSummary): Record<string, unknown> => ({
  name: queue.name,
  settings: queue.settings,
  createdAt: iso(queue.createdAt),
});

const queueJson = (queue: QueueView): string =>
  JSON.stringify({
    ...queueSummary(queue),
    depth: queue.depth,
    oldestReadyAgeSeconds: queue.oldestReadyAgeSeconds,
    lanes: queue.lanes,
  });
