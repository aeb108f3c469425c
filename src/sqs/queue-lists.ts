/** ListQueues and ListDeadLetterSourceQueues: only what the caller may do something with. */
import * as v from "valibot";
import { isLaneError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { queueName } from "../core/types.ts";
import type { QueueName } from "../core/types.ts";
import { openCursor, sealCursor } from "../http/cursor.ts";
import { visibleQueues } from "../http/listings.ts";
import { action, demand } from "./action.ts";
import { SqsError } from "./errors.ts";
import { queueOfUrl, queueUrl } from "./queue-url.ts";

const paging = {
  MaxResults: v.optional(v.number()),
  NextToken: v.optional(v.string()),
};

export const listQueues = action(
  v.object({ QueueNamePrefix: v.optional(v.string(), ""), ...paging }),
  async (call, { QueueNamePrefix: prefix, MaxResults, NextToken }) => {
    const limit = limitOf(MaxResults);
    const madeFor = ["sqs", "queues", prefix];
    const after = afterOf(NextToken, madeFor);
    const { queues, more } = await visibleQueues(call, {
      limit,
      ...(prefix === "" ? {} : { prefix }),
      ...(after === undefined ? {} : { after }),
    });
    return {
      QueueUrls: queues.map(({ name }) => queueUrl(call, name)),
      ...tokenOf(MaxResults, more ? queues.at(-1)?.name : undefined, madeFor),
    };
  },
);

export const listDeadLetterSourceQueues = action(
  v.object({ QueueUrl: v.optional(v.string()), ...paging }),
  async (call, { QueueUrl, MaxResults, NextToken }) => {
    const name = queueOfUrl(QueueUrl);
    demand(call, "any", name);
    const limit = limitOf(MaxResults);
    const madeFor = ["sqs", "sources", name];
    const after = afterOf(NextToken, madeFor);
    const sources = await call.service.deadLetterSources(name);
    const left = sources.filter(
      (source) => (after === undefined || source > after) && call.caller.may("any", source),
    );
    const page = left.slice(0, limit);
    return {
      queueUrls: page.map((source) => queueUrl(call, source)),
      ...tokenOf(MaxResults, left.length > limit ? page.at(-1) : undefined, madeFor),
    };
  },
);

function limitOf(maxResults: number | undefined): number {
  if (maxResults === undefined) return LIMITS.listPage;
  if (Number.isInteger(maxResults) && maxResults >= 1 && maxResults <= LIMITS.listPage)
    return maxResults;
  throw new SqsError(
    "InvalidParameterValue",
    `Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and ${LIMITS.listPage}.`,
  );
}

/** As AWS: who does not say how many gets the first 1,000, and no token. */
const tokenOf = (
  maxResults: number | undefined,
  last: QueueName | undefined,
  madeFor: readonly string[],
): { NextToken?: string } =>
  maxResults === undefined || last === undefined ? {} : { NextToken: sealCursor(last, madeFor) };

function afterOf(token: string | undefined, madeFor: readonly string[]): QueueName | undefined {
  if (token === undefined || token === "") return undefined;
  try {
    return queueName(openCursor(token, madeFor, "NextToken"));
  } catch (error) {
    if (!isLaneError(error, "invalid-request")) throw error;
    throw new SqsError("InvalidParameterValue", "Invalid or expired next token.", { cause: error });
  }
}
