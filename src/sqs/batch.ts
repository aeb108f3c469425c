/**
 * What the batch actions share: which batches are refused as a whole, and an answer of one line an entry.
 *
 * W1  A batch is refused as a whole, before anything is done, where its entries could not be told apart
 *     by their ids in the answer, or are none or too many.
 * W2  Every entry is answered by its id, once: among the successful, or among the failed with its error.
 */
import { LIMITS } from "../core/limits.ts";
import { missing, SqsError } from "./errors.ts";

const ID = /^[A-Za-z0-9_-]{1,80}$/;

interface Entry {
  readonly Id?: string | undefined;
}

export type Identified<E extends Entry> = E & { readonly Id: string };

export interface BatchAnswer {
  readonly Successful: readonly (object & { readonly Id: string })[];
  readonly Failed: readonly {
    readonly Id: string;
    readonly SenderFault: boolean;
    readonly Code: string;
    readonly Message: string;
  }[];
}

/**
 * W1. `element`: as the query protocol calls an entry, which is how errors name it.
 * @throws SqsError `EmptyBatchRequest`, `TooManyEntriesInBatchRequest`, `MissingParameter`,
 * `InvalidBatchEntryId`, `BatchEntryIdsNotDistinct`
 */
export function entriesOf<E extends Entry>(
  entries: readonly E[] | undefined,
  element: string,
): readonly Identified<E>[] {
  if (entries === undefined || entries.length === 0)
    throw new SqsError(
      "EmptyBatchRequest",
      `There should be at least one ${element} in the request.`,
    );
  if (entries.length > LIMITS.sqsBatchEntries)
    throw new SqsError(
      "TooManyEntriesInBatchRequest",
      `Maximum number of entries per request are ${LIMITS.sqsBatchEntries}. You have sent ${entries.length}.`,
    );
  const seen = new Set<string>();
  for (const [index, { Id }] of entries.entries()) {
    if (Id === undefined) throw missing(`${element}.${index + 1}.Id`);
    if (!ID.test(Id))
      throw new SqsError(
        "InvalidBatchEntryId",
        "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.",
      );
    if (seen.has(Id)) throw new SqsError("BatchEntryIdsNotDistinct", `Id ${Id} repeated.`);
    seen.add(Id);
  }
  return entries as readonly Identified<E>[];
}

/** W2. `outcomes`: of each entry in turn, what its success says beside the id, or its error. */
export function batchAnswer(
  entries: readonly { readonly Id: string }[],
  outcomes: readonly (object | SqsError)[],
): BatchAnswer {
  const Successful: (object & { readonly Id: string })[] = [];
  const Failed: BatchAnswer["Failed"][number][] = [];
  for (const [index, { Id }] of entries.entries()) {
    const outcome = outcomes[index];
    if (outcome instanceof SqsError)
      Failed.push({
        Id,
        SenderFault: outcome.isSenderFault,
        Code: outcome.queryCode,
        Message: outcome.message,
      });
    else Successful.push({ Id, ...outcome });
  }
  return { Successful, Failed };
}
