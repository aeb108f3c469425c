/** TagQueue, UntagQueue, ListQueueTags: the tags that REST has among a queue's settings. */
import * as v from "valibot";
import { LIMITS } from "../core/limits.ts";
import type { QueueName } from "../core/types.ts";
import { isObject } from "../http/message-rules.ts";
import { action, demand } from "./action.ts";
import { missing, SqsError } from "./errors.ts";
import { queueOfUrl } from "./queue-url.ts";

type Tags = Readonly<Record<string, string>>;

/** Not a record schema: that would drop `constructor` and its like. */
export const tagMap = v.custom<Tags>(
  (value) => isObject(value) && Object.values(value).every((one) => typeof one === "string"),
  "must be an object of strings",
);

/** @throws SqsError `InvalidParameterValue` */
export function checkTags(queue: QueueName, tags: Tags): void {
  for (const [key, value] of Object.entries(tags)) {
    checkKey(key);
    if (/^aws:/i.test(key)) throw invalid("Tag keys that start with aws: are reserved.");
    if (value.length > LIMITS.tagValueChars)
      throw invalid(
        `Tag values must be between 0 and ${LIMITS.tagValueChars} characters in length.`,
      );
  }
  if (Object.keys(tags).length > LIMITS.tagsMax)
    throw invalid(`Too many tags added for queue ${queue}.`);
}

export const tagQueue = action(
  v.object({ QueueUrl: v.optional(v.string()), Tags: v.optional(tagMap, {}) }),
  async (call, { QueueUrl, Tags }) => {
    const name = queueOfUrl(QueueUrl);
    demand(call, "manage", name);
    if (Object.keys(Tags).length === 0) throw missing("Tags");
    await call.service.changeQueue(name, ({ settings }) => {
      const tags = { ...settings.tags, ...Tags };
      checkTags(name, tags);
      return { settings: { tags } };
    });
  },
);

/** Those that the queue does not have are passed over. */
export const untagQueue = action(
  v.object({
    QueueUrl: v.optional(v.string()),
    TagKeys: v.optional(v.array(v.string()), []),
  }),
  async (call, { QueueUrl, TagKeys }) => {
    const name = queueOfUrl(QueueUrl);
    demand(call, "manage", name);
    if (TagKeys.length === 0) checkKey("");
    for (const key of TagKeys) checkKey(key);
    await call.service.changeQueue(name, ({ settings }) => {
      const left = Object.entries(settings.tags).filter(([key]) => !TagKeys.includes(key));
      return { settings: { tags: Object.fromEntries(left) } };
    });
  },
);

export const listQueueTags = action(
  v.object({ QueueUrl: v.optional(v.string()) }),
  async (call, { QueueUrl }) => {
    const name = queueOfUrl(QueueUrl);
    demand(call, "any", name);
    const { settings } = await call.service.describeQueue(name);
    return { Tags: settings.tags };
  },
);

function checkKey(key: string): void {
  if (key.length >= 1 && key.length <= LIMITS.tagKeyChars && key !== "__proto__") return;
  throw invalid(`Tag keys must be between 1 and ${LIMITS.tagKeyChars} characters in length.`);
}

const invalid = (message: string): SqsError => new SqsError("InvalidParameterValue", message);
