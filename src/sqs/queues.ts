/** CreateQueue, DeleteQueue, GetQueueUrl, GetQueueAttributes, SetQueueAttributes, PurgeQueue. */
import * as v from "valibot";
import { LIMITS } from "../core/limits.ts";
import type { QueueName } from "../core/types.ts";
import type { Depth, QueueDetails } from "../service/api.ts";
import { action, demand } from "./action.ts";
import type { SqsCall } from "./action.ts";
import { blamingPolicy, checkDeadLetterTarget, findQueue } from "./dead-letter-target.ts";
import { missing, SqsError } from "./errors.ts";
import {
  attributesOf,
  beginning,
  changeOf,
  differing,
  factsOf,
  namesOf,
  unknownAttribute,
} from "./queue-attributes.ts";
import type { Attributes } from "./queue-attributes.ts";
import { newQueueName } from "./queue-names.ts";
import { queueOfUrl, queueUrl } from "./queue-url.ts";
import { checkTags, tagMap } from "./tags.ts";

const text = v.optional(v.string());

/** A number is as good as its text. */
const attributeMap = v.pipe(
  v.record(v.string(), v.nullish(v.union([v.string(), v.number(), v.boolean()]))),
  v.transform((given): Attributes =>
    Object.fromEntries(
      Object.entries(given).flatMap(([name, value]) =>
        value === null || value === undefined ? [] : [[name, String(value)]],
      ),
    ),
  ),
);

/** One that is there is as good as a new one, as long as it has what is asked for. */
export const createQueue = action(
  v.object({
    QueueName: text,
    Attributes: v.optional(attributeMap, {}),
    tags: v.optional(tagMap, {}),
  }),
  async (call, { QueueName, Attributes: given, tags }) => {
    const fifo = /^true$/i.test(given["FifoQueue"] ?? "");
    const name = newQueueName(QueueName, fifo);
    demand(call, "manage", name);
    checkTags(name, tags);
    const found = (await findQueue(call.service, name)) ?? (await create(call, name, given, tags));
    if (found !== undefined) {
      const other = differing(given, found, call);
      if (other !== undefined)
        throw new SqsError(
          "QueueNameExists",
          `A queue already exists with the same name and a different value for attribute ${other}`,
        );
    }
    return { QueueUrl: queueUrl(call, name) };
  },
);

/** Gives the queue that somebody else has made meanwhile. */
async function create(
  call: SqsCall,
  name: QueueName,
  given: Attributes,
  tags: Readonly<Record<string, string>>,
): Promise<QueueDetails | undefined> {
  const before = beginning(name.endsWith(".fifo"));
  const { settings: asked, sqs } = changeOf(given, before);
  const settings = { ...before.settings, ...asked, tags };
  const policy = given["RedrivePolicy"];
  await checkDeadLetterTarget(call, { name, settings }, policy);
  const creation = call.service.createQueue(name, { settings, sqs });
  const { created, queue } = await blamingPolicy(policy, creation);
  return created ? undefined : queue;
}

export const deleteQueue = action(v.object({ QueueUrl: text }), async (call, { QueueUrl }) => {
  const name = queueOfUrl(QueueUrl);
  demand(call, "manage", name);
  await call.service.deleteQueue(name, { evenIfNamed: true });
});

/** The owner's account is not looked at: there is one. */
export const getQueueUrl = action(v.object({ QueueName: text }), async (call, { QueueName }) => {
  if (QueueName === undefined || QueueName === "") throw missing("QueueName");
  const name = queueOfUrl(QueueName);
  demand(call, "any", name);
  await call.service.describeQueue(name);
  return { QueueUrl: queueUrl(call, name) };
});

const COUNTS = [
  "ApproximateNumberOfMessages",
  "ApproximateNumberOfMessagesNotVisible",
  "ApproximateNumberOfMessagesDelayed",
];
const NO_DEPTH: Depth = { ready: 0, leased: 0, delayed: 0 };

/** Reading the depth costs something; it is read only where it is asked for. */
export const getQueueAttributes = action(
  v.object({ QueueUrl: text, AttributeNames: v.optional(v.array(v.string()), []) }),
  async (call, { QueueUrl, AttributeNames }) => {
    const name = queueOfUrl(QueueUrl);
    demand(call, "any", name);
    const isAll = AttributeNames.includes("All");
    const wants = (attribute: string): boolean => isAll || AttributeNames.includes(attribute);
    const hasDepth = COUNTS.some(wants);
    const view = hasDepth ? await call.service.getQueue(name) : undefined;
    const queue = view ?? (await call.service.describeQueue(name));
    const names = namesOf(queue);
    const unknown = AttributeNames.find((one) => one !== "All" && !names.includes(one));
    if (unknown !== undefined) throw unknownAttribute(unknown);
    const scheduled = wants("ApproximateNumberOfMessagesDelayed")
      ? await call.service.countScheduled(name, LIMITS.scheduledCounted)
      : 0;
    const { ready, leased, delayed } = view?.depth ?? NO_DEPTH;
    const counts = {
      ApproximateNumberOfMessages: String(ready),
      ApproximateNumberOfMessagesNotVisible: String(leased),
      ApproximateNumberOfMessagesDelayed: String(delayed + scheduled),
    };
    const all = { ...attributesOf(queue, call), ...factsOf(queue, call), ...counts };
    return { Attributes: Object.fromEntries(Object.entries(all).filter(([one]) => wants(one))) };
  },
);

export const setQueueAttributes = action(
  v.object({ QueueUrl: text, Attributes: attributeMap }),
  async (call, { QueueUrl, Attributes: given }) => {
    const name = queueOfUrl(QueueUrl);
    demand(call, "manage", name);
    const policy = given["RedrivePolicy"];
    const change = call.service.changeQueue(name, async (queue) => {
      const asked = changeOf(given, queue);
      const settings = { ...queue.settings, ...asked.settings };
      await checkDeadLetterTarget(call, { name, settings }, policy);
      return asked;
    });
    await blamingPolicy(policy, change);
  },
);

export const purgeQueue = action(v.object({ QueueUrl: text }), async (call, { QueueUrl }) => {
  const name = queueOfUrl(QueueUrl);
  demand(call, "manage", name);
  const { clearedAt } = await call.service.describeQueue(name);
  const isSoon = clearedAt !== undefined && call.now() - clearedAt < LIMITS.purgeEveryMs;
  if (isSoon && !call.relaxed)
    throw new SqsError(
      "PurgeQueueInProgress",
      `Only one PurgeQueue operation on ${name} is allowed every 60 seconds.`,
    );
  await call.service.clearQueue(name);
});
