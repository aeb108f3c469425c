/** What settings of a queue contradict themselves, or what it is since its creation. */
import { LaneError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { QueueRecord, QueueSettings } from "../core/queue.ts";

/** What cannot change once messages may have been sent. */
export function checkFixed({ name, settings: before }: QueueRecord, settings: QueueSettings): void {
  if ((settings.priorities === false) !== (before.priorities === false)) {
    const has = JSON.stringify(before.priorities);
    throw new LaneError(
      "queue-conflict",
      `The queue "${name}" has priorities ${has} since its creation; that cannot be changed.`,
      { errors: [{ path: "priorities", message: `is ${has} and cannot be changed` }] },
    );
  }
  if (settings.order === before.order) return;
  throw new LaneError(
    "queue-conflict",
    `The queue "${name}" has order "${before.order}" since its creation; that cannot be changed.`,
    { errors: [{ path: "order", message: `is "${before.order}" and cannot be changed` }] },
  );
}

/** What contradicts itself. */
export function checkSettings(settings: QueueSettings): void {
  if (settings.priorities !== false) checkPriorities(settings);
  if (settings.onPoison === "block" && settings.order === "none") {
    throw new LaneError("invalid-request", "Only where order is kept can a key wait.", {
      errors: [{ path: "onPoison", message: 'needs order "key" or "lane"' }],
    });
  }
  const { onExpired, backoff } = settings;
  if (onExpired === "deadLetter" && settings.deadLetter === null)
    throw badSetting("onExpired", "needs a deadLetter queue to move messages to");
  if (backoff !== null && backoff.maxSeconds < backoff.initialSeconds)
    throw badSetting("backoff.maxSeconds", "must be at least initialSeconds");
  if (settings.delaySeconds < settings.retentionSeconds) return;
  throw new LaneError("invalid-request", "Messages would expire before they are delivered.", {
    errors: [{ path: "delaySeconds", message: "must be less than retentionSeconds" }],
  });
}

const badSetting = (path: string, message: string): LaneError =>
  new LaneError("invalid-request", `${path} ${message}.`, { errors: [{ path, message }] });

function checkPriorities({ order, lanes }: QueueSettings): void {
  if (order !== "none") throw badSetting("priorities", `does not go with order "${order}"`);
  if (lanes !== "auto" && lanes > LIMITS.lanesOfPriorityMax)
    throw badSetting("lanes", `must be at most ${LIMITS.lanesOfPriorityMax} with priorities`);
}
