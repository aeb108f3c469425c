/** Whether a queue may have the dead-letter queue that its new RedrivePolicy names. */
import { isLaneError } from "../core/errors.ts";
import type { QueueSettings } from "../core/queue.ts";
import type { QueueName } from "../core/types.ts";
import type { QueueDetails, Service } from "../service/api.ts";
import type { SqsCall } from "./action.ts";
import { SqsError } from "./errors.ts";
import { isFifo } from "./fifo.ts";
import { queueUrl } from "./queue-url.ts";
import { allowsRedrive, invalidRedrive } from "./redrive-policy.ts";

interface Source {
  readonly name: QueueName;
  /** As they are to be. */
  readonly settings: QueueSettings;
}

/**
 * `text`: the RedrivePolicy as it was given; absent or empty: there is nothing to check.
 * @throws SqsError `InvalidParameterValue`, `AccessDenied`
 */
export async function checkDeadLetterTarget(
  call: SqsCall,
  { name, settings }: Source,
  text: string | undefined,
): Promise<void> {
  const target = settings.deadLetter?.queue;
  if (text === undefined || text === "" || target === undefined) return;
  // Else a key for some queues could have messages moved into others.
  if (!call.caller.may(["send", "manage"], target))
    throw new SqsError(
      "AccessDenied",
      `Access to the resource ${queueUrl(call, target)} is denied.`,
    );
  const found = await findQueue(call.service, target);
  const isFifoTarget = found === undefined ? target.endsWith(".fifo") : isFifo(found.settings);
  if (isFifoTarget !== isFifo(settings))
    throw invalidRedrive(text, "Dead-letter queue must be same type of queue as the source..");
  if (found === undefined) throw invalidRedrive(text, "Dead letter target does not exist.");
  if (!allowsRedrive(found.sqs.redriveAllowPolicy, name))
    throw invalidRedrive(
      text,
      "The redrive allow policy of the dead-letter queue does not allow this source queue.",
    );
}

/** What the service finds wrong with a dead-letter queue is the policy's fault. */
export async function blamingPolicy<T>(text: string | undefined, change: Promise<T>): Promise<T> {
  try {
    return await change;
  } catch (error) {
    const isAboutIt =
      isLaneError(error) && error.errors.some(({ path }) => path.startsWith("deadLetter"));
    throw isAboutIt && text !== undefined ? invalidRedrive(text, error.message) : error;
  }
}

export async function findQueue(
  service: Service,
  name: QueueName,
): Promise<QueueDetails | undefined> {
  try {
    return await service.describeQueue(name);
  } catch (error) {
    if (isLaneError(error, "queue-not-found")) return undefined;
    throw error;
  }
}
