/** What a service's events say went wrong, in words for a log. */
import type { ServiceEvent } from "./deps.ts";

export interface Trouble {
  readonly text: string;
  /** The queue or schedule that it is about. */
  readonly about: Readonly<Record<string, string>>;
  readonly error: unknown;
}

/** `undefined`: nothing went wrong. */
export function troubleOf(event: ServiceEvent): Trouble | undefined {
  switch (event.type) {
    case "deadLetterFailed":
      return of("dead-lettering failed", event);
    case "promotionFailed":
      return of("promoting scheduled messages failed", event);
    case "moveFailed":
      return of("moving dead letters failed", event);
    case "tendFailed":
      return of("looking after a queue failed", event);
    case "scheduleFailed": {
      const about = event.schedule === "" ? {} : { schedule: event.schedule };
      return { text: "firing schedules failed", about, error: event.error };
    }
    case "eraseFailed":
      return { text: "erasing acked messages failed", about: {}, error: event.error };
    case "appendConflict":
    case "claimConflict":
    case "laneGrown":
    case "segmentCut":
    case "unroutable":
      return undefined;
    default:
      return event satisfies never;
  }
}

const of = (text: string, { queue, error }: { queue: string; error: unknown }): Trouble => ({
  text,
  about: { queue },
  error,
});
