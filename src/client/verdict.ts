/** What a handler may throw to say what is to become of its message, and the pause after a failure. */
import { LIMITS } from "../core/limits.ts";

/** Thrown by a handler: the message comes again, but not before `seconds` are over. */
export class RetryAfter extends Error {
  readonly seconds: number;

  constructor(seconds: number, message = `again in ${seconds} s`) {
    super(message);
    this.name = "RetryAfter";
    this.seconds = seconds;
  }
}

/** Thrown by a handler: nobody needs the message any more. It is acked, and does not come again. */
export class Discard extends Error {
  constructor(message = "not needed") {
    super(message);
    this.name = "Discard";
  }
}

export interface RetryDelay {
  /** After the first failure; 1. */
  readonly initialSeconds?: number;
  /** From failure to failure; 2. */
  readonly factor?: number;
  /** 300. */
  readonly maxSeconds?: number;
}

/** Whole seconds, as the service takes them: somewhere in the upper half of what is due. */
export function delaySeconds(
  { initialSeconds = 1, factor = 2, maxSeconds = 300 }: RetryDelay,
  receives: number,
  random: number,
): number {
  const due = initialSeconds * factor ** Math.min(Math.max(receives, 1) - 1, 60);
  const most = Math.min(due, maxSeconds, LIMITS.releaseDelaySecondsMax);
  return Math.round(most * (0.5 + random / 2));
}

export const clampDelay = (seconds: number): number =>
  Math.max(0, Math.min(Math.ceil(seconds), LIMITS.releaseDelaySecondsMax)) || 0;
