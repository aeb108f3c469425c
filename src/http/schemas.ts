/**
 * What requests look like. The face validates by these schemas (messages by `message-in.ts`, which
 * does the same faster) and the OpenAPI document is made from them.
 */
import * as v from "valibot";
import { DEFAULT_DEDUP } from "../core/dedup.ts";
import { isRealTime, ISO_TIME, NO_ISO_TIME, NO_REAL_TIME } from "./times.ts";
import type { FieldError } from "../core/errors.ts";
import { BALANCE_BY, EXCHANGE_TYPES, HEADER_MATCHES } from "../core/exchange.ts";
import { LIMITS } from "../core/limits.ts";
import { PRIORITIES } from "../core/priority.ts";
import { pointerError } from "../core/transform.ts";
import { routingKeyError } from "./message-fields.ts";
import { checkHeaders, headerNameError } from "./message-rules.ts";

const integer = (min: number, max: number) =>
  v.pipe(
    v.number("must be a number"),
    v.integer("must be a whole number"),
    v.minValue(min, `must be at least ${min}`),
    v.maxValue(max, `must be at most ${max}`),
  );

const name = v.pipe(
  v.string("must be a string"),
  v.regex(/^[A-Za-z0-9_.-]{1,80}$/, "must be 1 to 80 characters of A-Z a-z 0-9 _ - ."),
);

const text = (min: number, max: number) =>
  v.pipe(
    v.string("must be a string"),
    v.minLength(min, `must have at least ${min} characters`),
    v.maxLength(max, `must have at most ${max} characters`),
  );

/** 1 to `max` characters without lone surrogates. */
const wellFormed = (max: number) =>
  v.pipe(
    text(1, max),
    v.check((value) => value.isWellFormed(), "must be well-formed Unicode"),
  );

const flag = v.boolean("must be true or false");

export const time = v.pipe(
  v.string("must be a string"),
  v.regex(ISO_TIME, NO_ISO_TIME),
  v.check(isRealTime, NO_REAL_TIME),
);

const headerName = v.pipe(
  v.string("must be a string"),
  v.check(
    (value) => headerNameError(value) === undefined,
    (issue) => headerNameError(issue.input) ?? "",
  ),
);

const routingKey = v.pipe(
  v.string("must be a string"),
  v.check(
    (value) => routingKeyError(value) === undefined,
    (issue) => routingKeyError(issue.input) ?? "",
  ),
);

const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

// Not record schemas: those take arrays, and drop `constructor` and its like silently.
export const headers = v.custom<Readonly<Record<string, string>>>(
  (value) => isPlainObject(value) && Object.values(value).every((one) => typeof one === "string"),
  "must be an object of strings",
);

const tagMap = v.custom<Readonly<Record<string, string>>>(isPlainObject, "must be an object");

const tags = v.pipe(
  tagMap,
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const input: Readonly<Record<string, unknown>> = dataset.value;
    for (const [key, value] of Object.entries(input)) {
      const message = tagError(key, value);
      if (message === undefined) continue;
      addIssue({ message, path: [{ type: "object", origin: "value", input, key, value }] });
    }
    if (Object.keys(input).length > LIMITS.tagsMax) {
      addIssue({ message: `must have at most ${LIMITS.tagsMax} tags` });
    }
  }),
);

function tagError(key: string, value: unknown): string | undefined {
  if (key === "__proto__") return "is not allowed as a tag";
  if (key.length < 1 || key.length > LIMITS.tagKeyChars) {
    return `is a tag whose name does not have 1 to ${LIMITS.tagKeyChars} characters`;
  }
  if (typeof value !== "string") return "must be a string";
  return value.length > LIMITS.tagValueChars
    ? `must have at most ${LIMITS.tagValueChars} characters`
    : undefined;
}

const SCOPES = ["queue", "key"] as const;

const dedup = v.strictObject({
  scope: v.optional(v.picklist(SCOPES, 'must be "queue" or "key"'), DEFAULT_DEDUP.scope),
  windowSeconds: v.optional(
    integer(LIMITS.dedupWindowSecondsMin, LIMITS.dedupWindowSecondsMax),
    DEFAULT_DEDUP.windowSeconds,
  ),
  contentBased: v.optional(flag, DEFAULT_DEDUP.contentBased),
});

const number = (min: number, max: number) =>
  v.pipe(
    v.number("must be a number"),
    v.minValue(min, `must be at least ${min}`),
    v.maxValue(max, `must be at most ${max}`),
  );

const backoff = v.strictObject({
  initialSeconds: integer(1, LIMITS.backoffSecondsMax),
  factor: v.optional(number(1, LIMITS.backoffFactorMax), 2),
  maxSeconds: v.optional(integer(1, LIMITS.backoffSecondsMax), LIMITS.backoffSecondsMax),
  jitter: v.optional(number(0, 1), 0),
});

export const deadLetter = v.pipe(
  v.strictObject({
    queue: v.exactOptional(name),
    exchange: v.exactOptional(name),
    routingKey: v.exactOptional(routingKey),
  }),
  v.check(
    ({ queue, exchange }) => (queue === undefined) !== (exchange === undefined),
    "must name a queue or an exchange, and not both",
  ),
  v.check(
    ({ queue, routingKey: key }) => queue === undefined || key === undefined,
    "must have a routingKey only with an exchange",
  ),
);

export const queueSettings = v.strictObject({
  leaseSeconds: v.exactOptional(integer(0, LIMITS.leaseSecondsMax)),
  retentionSeconds: v.exactOptional(
    integer(LIMITS.retentionSecondsMin, LIMITS.retentionSecondsMax),
  ),
  delaySeconds: v.exactOptional(integer(0, LIMITS.delaySecondsMax)),
  waitSeconds: v.exactOptional(integer(0, LIMITS.waitSecondsMax)),
  maxReceives: v.exactOptional(v.nullable(integer(1, LIMITS.maxReceivesMax))),
  deadLetter: v.exactOptional(v.nullable(deadLetter)),
  onExpired: v.exactOptional(v.picklist(["drop", "deadLetter"], 'must be "drop" or "deadLetter"')),
  backoff: v.exactOptional(v.nullable(backoff)),
  maxMessageBytes: v.exactOptional(integer(1, LIMITS.messageBytes)),
  eraseOnAck: v.exactOptional(flag),
  order: v.exactOptional(v.picklist(["none", "key", "lane"], 'must be "none", "key" or "lane"')),
  onPoison: v.exactOptional(v.picklist(["deadLetter", "block"], 'must be "deadLetter" or "block"')),
  lanes: v.exactOptional(
    v.union(
      [v.literal("auto"), integer(1, LIMITS.lanesMax)],
      `must be "auto" or a whole number from 1 to ${LIMITS.lanesMax}`,
    ),
  ),
  priorities: v.exactOptional(
    v.union(
      [v.literal(false), v.picklist(["strict", "weighted"])],
      'must be false, "strict" or "weighted"',
    ),
  ),
  dedup: v.exactOptional(v.nullable(dedup)),
  tags: v.exactOptional(tags),
});

/** `core/pattern.ts` says what is wrong with one. */
export const filter = v.custom<Readonly<Record<string, unknown>>>(
  isPlainObject,
  "must be an object",
);

const startFrom = v.union(
  [
    v.picklist(["earliest", "latest"]),
    v.strictObject({ time }),
    v.strictObject({ id: text(1, 512) }),
  ],
  'must be "earliest", "latest", { "time": … } or { "id": … }',
);

export type StartFrom = v.InferOutput<typeof startFrom>;

export const seekRequest = v.strictObject({ from: startFrom });

export const groupRequest = v.strictObject({
  from: v.optional(startFrom, "earliest"),
  filter: v.exactOptional(filter),
  maxReceives: queueSettings.entries.maxReceives,
  deadLetter: queueSettings.entries.deadLetter,
});

export const nothing = v.strictObject({});

export const redriveRequest = v.strictObject({
  to: v.exactOptional(name),
  max: v.exactOptional(integer(1, Number.MAX_SAFE_INTEGER)),
});

export const outgoingMessage = v.strictObject({
  body: v.unknown(),
  contentType: v.exactOptional(
    v.pipe(
      text(1, LIMITS.contentTypeBytes),
      v.regex(/^[\x20-\x7e]+$/, "must be printable ASCII characters"),
    ),
  ),
  encoding: v.exactOptional(v.literal("base64", 'must be "base64"')),
  headers: v.exactOptional(headers),
  key: v.exactOptional(wellFormed(LIMITS.keyChars)),
  delaySeconds: v.exactOptional(integer(0, LIMITS.scheduleSecondsMax)),
  deliverAt: v.exactOptional(time),
  dedupId: v.exactOptional(wellFormed(LIMITS.dedupIdChars)),
  priority: v.exactOptional(integer(0, PRIORITIES - 1)),
  tenant: v.exactOptional(wellFormed(LIMITS.tenantChars)),
  ttlSeconds: v.exactOptional(integer(1, LIMITS.retentionSecondsMax)),
});

export const publishedMessage = v.strictObject({
  ...outgoingMessage.entries,
  routingKey: v.optional(routingKey, ""),
});

export const publishRequest = v.union([
  publishedMessage,
  v.strictObject({
    messages: v.pipe(
      v.array(publishedMessage),
      v.minLength(1),
      v.maxLength(LIMITS.messagesPerSend),
    ),
  }),
]);

export const exchangeSettings = v.strictObject({
  type: v.picklist(EXCHANGE_TYPES, `must be one of ${EXCHANGE_TYPES.join(", ")}`),
  by: v.exactOptional(v.picklist(BALANCE_BY, `must be one of ${BALANCE_BY.join(", ")}`)),
  hashHeader: v.exactOptional(headerName),
  alternate: v.optional(v.nullable(name), null),
  mandatory: v.optional(flag, false),
});

const transform = v.strictObject({
  setHeaders: v.exactOptional(
    v.pipe(
      headers,
      v.rawCheck(({ dataset, addIssue }) => {
        if (!dataset.typed) return;
        const errors: FieldError[] = [];
        checkHeaders(dataset.value, "", errors);
        for (const { path, message } of errors) {
          addIssue({ message: path === "" ? message : `has a header ${path} that ${message}` });
        }
      }),
    ),
  ),
  removeHeaders: v.exactOptional(
    v.pipe(
      v.array(headerName, "must be an array of header names"),
      v.maxLength(LIMITS.headersPerMessage, `must name at most ${LIMITS.headersPerMessage}`),
    ),
  ),
  body: v.exactOptional(
    v.pipe(
      text(0, LIMITS.jsonPointerChars),
      v.check(
        (pointer) => pointerError(pointer) === undefined,
        (issue) => pointerError(issue.input) ?? "",
      ),
    ),
  ),
});

export const bindingHeaderMap = v.custom<Readonly<Record<string, string | null>>>(
  isPlainObject,
  "must be an object",
);

const bindingHeaders = v.pipe(
  bindingHeaderMap,
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const input: Readonly<Record<string, unknown>> = dataset.value;
    for (const [key, value] of Object.entries(input)) {
      const isText = typeof value === "string" || value === null;
      const message = isText
        ? headerNameError(key)
        : "must be a string, for headers are text, or null: it only has to be there";
      if (message === undefined) continue;
      addIssue({ message, path: [{ type: "object", origin: "value", input, key, value }] });
    }
    if (Object.keys(input).length > LIMITS.bindingHeaders) {
      addIssue({ message: `must have at most ${LIMITS.bindingHeaders} headers` });
    }
  }),
);

export const bindingFields = {
  queue: v.exactOptional(name),
  exchange: v.exactOptional(name),
  routingKey: v.exactOptional(routingKey),
  headers: v.exactOptional(bindingHeaders),
  match: v.exactOptional(v.picklist(HEADER_MATCHES, `must be one of ${HEADER_MATCHES.join(", ")}`)),
  filter: v.exactOptional(filter),
  weight: v.exactOptional(integer(0, LIMITS.weightMax)),
  transform: v.exactOptional(transform),
};

export const bindingSettings = v.pipe(
  v.strictObject(bindingFields),
  v.check(
    ({ queue, exchange }) => (queue === undefined) !== (exchange === undefined),
    "must name a queue or an exchange to bind, and not both",
  ),
);

export const scheduleFields = {
  cron: v.exactOptional(text(1, 100)),
  timeZone: v.exactOptional(text(1, 64)),
  everySeconds: v.exactOptional(integer(1, LIMITS.scheduleSecondsMax)),
  queue: v.exactOptional(name),
  exchange: v.exactOptional(name),
  routingKey: v.exactOptional(routingKey),
  message: v.unknown(),
  onMissed: v.optional(v.picklist(["fire", "skip"], 'must be "fire" or "skip"'), "fire"),
};

export const scheduleSettings = v.pipe(
  v.strictObject(scheduleFields),
  v.check(
    ({ cron, everySeconds }) => (cron === undefined) !== (everySeconds === undefined),
    "must have cron or everySeconds, and not both",
  ),
  v.check(
    ({ queue, exchange }) => (queue === undefined) !== (exchange === undefined),
    "must name a queue or an exchange to send to, and not both",
  ),
  v.forward(
    v.partialCheck(
      [["cron"], ["timeZone"]],
      ({ cron, timeZone }) => timeZone === undefined || cron !== undefined,
      "is only for cron",
    ),
    ["timeZone"],
  ),
  v.forward(
    v.partialCheck(
      [["exchange"], ["routingKey"]],
      ({ exchange, routingKey: key }) => key === undefined || exchange !== undefined,
      "is only for an exchange",
    ),
    ["routingKey"],
  ),
);

export const sendRequest = v.union([
  outgoingMessage,
  v.strictObject({
    messages: v.pipe(v.array(outgoingMessage), v.minLength(1), v.maxLength(LIMITS.messagesPerSend)),
  }),
]);

export const receiveRequest = v.strictObject({
  max: v.optional(integer(1, LIMITS.messagesPerReceive), 1),
  waitSeconds: v.exactOptional(integer(0, LIMITS.waitSecondsMax)),
  leaseSeconds: v.exactOptional(integer(0, LIMITS.leaseSecondsMax)),
  group: v.optional(name, "default"),
});

const receipts = v.pipe(
  v.array(v.string("must be a string"), "must be an array of receipts"),
  v.minLength(1, "must have at least one receipt"),
  v.maxLength(LIMITS.receiptsPerCall, `must have at most ${LIMITS.receiptsPerCall} receipts`),
);

export const ackRequest = v.strictObject({ receipts });

export const releaseRequest = v.strictObject({
  receipts,
  delaySeconds: v.exactOptional(integer(0, LIMITS.releaseDelaySecondsMax)),
  countAttempt: v.optional(flag, true),
});

export const extendRequest = v.strictObject({
  receipts,
  leaseSeconds: integer(0, LIMITS.leaseSecondsMax),
});

const KEY_ACTIONS = ["send", "receive", "browse", "manage"] as const;

const namePattern = v.pipe(
  v.string("must be a string"),
  v.regex(
    /^[A-Za-z0-9_.*-]{1,80}$/,
    "must be 1 to 80 characters of A-Z a-z 0-9 _ - . and * for any run of characters",
  ),
);

export const createKeyRequest = v.strictObject({
  name: text(1, LIMITS.keyNameChars),
  scopes: v.pipe(
    v.array(
      v.pipe(
        v.strictObject({
          actions: v.pipe(
            v.array(
              v.picklist(KEY_ACTIONS, `must be one of ${KEY_ACTIONS.join(", ")}`),
              "must be an array of actions",
            ),
            v.minLength(1, "must have at least one action"),
            v.maxLength(KEY_ACTIONS.length, "must name each action once"),
          ),
          queues: v.exactOptional(namePattern),
          exchanges: v.exactOptional(namePattern),
        }),
        v.check(
          ({ queues, exchanges }) => queues !== undefined || exchanges !== undefined,
          "must name queues, exchanges or both",
        ),
      ),
      "must be an array of scopes",
    ),
    v.minLength(1, "must have at least one scope"),
    v.maxLength(LIMITS.scopesPerKey, `must have at most ${LIMITS.scopesPerKey} scopes`),
  ),
  expiresAt: v.exactOptional(time),
});

/** A query parameter is text; it is read as a whole number in plain decimal digits. */
const integerParameter = (min: number, max: number) =>
  v.pipe(
    v.string(),
    v.regex(/^\d{1,15}$/, `must be a whole number from ${min} to ${max}`),
    v.transform(Number),
    v.minValue(min, `must be at least ${min}`),
    v.maxValue(max, `must be at most ${max}`),
    v.metadata({ parameter: { type: "integer", minimum: min, maximum: max } }),
  );

const cursor = text(1, 1024);

export const listQueuesQuery = v.strictObject({
  prefix: v.exactOptional(
    v.pipe(
      v.string(),
      v.regex(/^[A-Za-z0-9_.-]{0,80}$/, "must be at most 80 characters of A-Z a-z 0-9 _ - ."),
    ),
  ),
  limit: v.optional(integerParameter(1, LIMITS.listPage), "100"),
  cursor: v.exactOptional(cursor),
});

export const listBindingsQuery = v.strictObject({
  limit: v.optional(integerParameter(1, LIMITS.listPage), "100"),
  cursor: v.exactOptional(cursor),
});

export const browseQuery = v.strictObject({
  from: v.exactOptional(cursor),
  limit: v.optional(integerParameter(1, LIMITS.browsePage), "100"),
  lane: v.exactOptional(integerParameter(0, Number.MAX_SAFE_INTEGER)),
});

export const listScheduledQuery = v.strictObject({
  limit: v.optional(integerParameter(1, LIMITS.listPage), "100"),
  cursor: v.exactOptional(cursor),
});

export const listKeysQuery = v.strictObject({
  limit: v.optional(integerParameter(1, LIMITS.listPage), "100"),
  cursor: v.exactOptional(cursor),
});
