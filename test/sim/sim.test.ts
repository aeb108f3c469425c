import { describe, expect, test } from "vitest";
import { kindNames, turnsOf } from "./kinds.ts";
import type { ScheduleKey } from "./kinds.ts";
import { REGRESSIONS } from "./regressions.ts";
import { explain, runSchedule } from "./schedule.ts";

const SCHEDULES = 300;
const scheduleOf = turnsOf(kindNames);

async function traced(schedule: ScheduleKey): Promise<string> {
  const lines: string[] = [];
  await runSchedule(schedule, (line) => lines.push(line));
  return lines.join("\n");
}

describe("the service under simulated faults", () => {
  test.each(kindNames)("%s of one seed gives a byte-identical trace every time", async (kind) => {
    const schedule = { kind, seed: 11 };
    const first = await traced(schedule);
    expect(first.length).toBeGreaterThan(1_000);
    expect((await traced(schedule)) === first).toBe(true);
  });

  test.each(REGRESSIONS)("$kind $seed holds; it found: $found", async (schedule) => {
    const report = await runSchedule(schedule);
    expect(report.failure === undefined ? undefined : explain(report)).toBeUndefined();
  });

  test(`${SCHEDULES} schedules hold`, { timeout: 300_000 }, async () => {
    const failures: string[] = [];
    for (let seed = 1; seed <= SCHEDULES; seed += 1) {
      const report = await runSchedule(scheduleOf(seed));
      if (report.failure !== undefined) failures.push(explain(report));
    }
    expect(failures).toEqual([]);
  });
});
