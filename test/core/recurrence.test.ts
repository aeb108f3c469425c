import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dueAfter, dueBefore, recurrenceError } from "../../src/core/recurrence.ts";
import { firingOf, MISSED_MS } from "../../src/core/schedule.ts";
import type { Schedule } from "../../src/core/schedule.ts";
import { epochMs, queueName, scheduleName } from "../../src/core/types.ts";
import type { EpochMs } from "../../src/core/types.ts";

const at = (iso: string): EpochMs => epochMs(Date.parse(iso));
const NOW = at("2026-11-24T12:00:00.300Z");
const cron = (text: string, timeZone = "UTC") => ({ cron: text, timeZone });

/** The next few due times. */
function times(recurrence: Parameters<typeof dueAfter>[0], from: EpochMs, count: number): string[] {
  const found: string[] = [];
  let next: EpochMs | undefined = from;
  while (next !== undefined && found.length < count) {
    next = dueAfter(recurrence, from, next);
    if (next !== undefined) found.push(new Date(next).toISOString());
  }
  return found;
}

describe("a recurrence", () => {
  it("by cron is due at whole minutes, or seconds where it has six fields", () => {
    expect(times(cron("*/20 9 * * 1-5"), NOW, 2)).toEqual([
      "2026-11-25T09:00:00.000Z",
      "2026-11-25T09:20:00.000Z",
    ]);
    expect(times(cron("* * * * * *"), NOW, 2)).toEqual([
      "2026-11-24T12:00:01.000Z",
      "2026-11-24T12:00:02.000Z",
    ]);
  });

  it("by cron follows the clocks of its zone, through the days on which they change", () => {
    const early = cron("30 2 * * *", "Europe/Berlin");
    expect(times(early, at("2026-03-28T12:00:00Z"), 2)).toEqual([
      "2026-03-29T01:00:00.000Z",
      "2026-03-30T00:30:00.000Z",
    ]);
    expect(times(early, at("2026-10-24T12:00:00Z"), 2)).toEqual([
      "2026-10-25T00:30:00.000Z",
      "2026-10-26T01:30:00.000Z",
    ]);
  });

  it("by seconds counts from its beginning", () => {
    expect(times({ everySeconds: 90 }, NOW, 2)).toEqual([
      "2026-11-24T12:01:30.300Z",
      "2026-11-24T12:03:00.300Z",
    ]);
  });

  it("V4: has one due time before another and after it, whoever asks when", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(cron("*/7 * * * *"), cron("15 2 * * *", "Europe/Berlin"), {
          everySeconds: 77,
        }),
        fc.integer({ min: 0, max: 400 * 86_400_000 }),
        (recurrence, later) => {
          const first = dueAfter(recurrence, NOW, NOW) as EpochMs;
          const after = dueAfter(recurrence, NOW, epochMs(first + later)) as EpochMs;
          const last = dueBefore(recurrence, NOW, { from: first, before: after });
          expect(last).toBeLessThanOrEqual(first + later);
          expect(dueAfter(recurrence, NOW, last as EpochMs)).toBe(after);
        },
      ),
      { numRuns: 300 },
    );
  });

  it.each([
    [cron("* * * * *", "Mars/Olympus"), "timeZone", "time zone"],
    [cron("61 * * * *"), "cron", "minute"],
    [cron("hello"), "cron", "5 fields"],
    [cron("2030-01-01T00:00:00"), "cron", "5 fields"],
    [cron("* * * *"), "cron", "five"],
    [cron("0 0 30 2 *"), "cron", "never"],
    [cron("0 0 0 1 1 * 2020"), "cron", "never"],
  ])("%j is refused by name", (recurrence, field, words) => {
    expect(recurrenceError(recurrence, NOW)).toMatchObject({
      field,
      message: expect.stringContaining(words),
    });
  });

  it.each([cron("0 0 29 2 *"), cron("@daily", "Asia/Kolkata"), { everySeconds: 1 }])(
    "%j is taken",
    (recurrence) => expect(recurrenceError(recurrence, NOW)).toBeUndefined(),
  );
});

describe("firing", () => {
  const schedule = (over: Partial<Schedule>): Schedule => ({
    name: scheduleName("daily"),
    scheduleId: "abc",
    recurrence: { everySeconds: 60 },
    target: { queue: queueName("orders") },
    message: { kind: "text", body: Buffer.from("x"), contentType: "text/plain", headers: {} },
    onMissed: "fire",
    createdAt: NOW,
    since: NOW,
    nextAt: epochMs(NOW + 60_000),
    version: 1,
    ...over,
  });
  const due = (over: Partial<Schedule>, after: number) => {
    const { due: times, nextAt } = firingOf(schedule(over), epochMs(NOW + after));
    return [times.map((time) => time - NOW), nextAt === undefined ? undefined : nextAt - NOW];
  };

  it("is of nothing before the due time, and of that at it", () => {
    expect(due({}, 59_999)).toEqual([[], 60_000]);
    expect(due({}, 60_000)).toEqual([[60_000], 120_000]);
  });

  it("is of each due time that is not long ago", () => {
    expect(due({}, 60_000 + MISSED_MS)).toEqual([[60_000, 120_000, 180_000], 240_000]);
  });

  it("is of all that were missed together, once, or not at all", () => {
    expect(due({}, 3_600_000)).toEqual([[3_420_000, 3_480_000, 3_540_000, 3_600_000], 3_660_000]);
    expect(due({ onMissed: "skip" }, 3_600_000)[0]).toEqual([3_480_000, 3_540_000, 3_600_000]);
    const daily = { recurrence: { everySeconds: 86_400 }, nextAt: epochMs(NOW + 86_400_000) };
    expect(due(daily, 10.5 * 86_400_000)).toEqual([[10 * 86_400_000], 11 * 86_400_000]);
    expect(due({ ...daily, onMissed: "skip" }, 10.5 * 86_400_000)).toEqual([[], 11 * 86_400_000]);
  });

  it("goes on where one go had too many", () => {
    const often = { recurrence: { everySeconds: 1 }, nextAt: epochMs(NOW + 1_000) };
    const [times, next] = due(often, 100_000_000);
    expect((times as number[]).length).toBeLessThanOrEqual(200);
    expect(next).toBe(100_001_000);
  });

  it("ends with the last due time", () => {
    const once = { recurrence: cron("0 0 12 24 11 * 2026"), nextAt: epochMs(NOW) };
    expect(due(once, 10_000)).toEqual([[0], undefined]);
    expect(due({ nextAt: undefined }, 10_000)).toEqual([[], undefined]);
  });
});
