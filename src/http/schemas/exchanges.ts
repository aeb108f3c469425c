/** Requests about exchanges and their bindings, and what is published. */
import * as v from "valibot";
import type { FieldError } from "../../core/errors.ts";
import { BALANCE_BY, EXCHANGE_TYPES, HEADER_MATCHES } from "../../core/exchange.ts";
import { LIMITS } from "../../core/limits.ts";
import { pointerError } from "../../core/transform.ts";
import { checkHeaders, headerNameError } from "../message-rules.ts";
import { outgoingMessage } from "./messages.ts";
import {
  filter,
  flag,
  headerName,
  headers,
  integer,
  isPlainObject,
  name,
  routingKey,
  text,
} from "./fields.ts";

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
