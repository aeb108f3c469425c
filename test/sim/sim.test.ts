import { describe, expect, test } from "vitest";
import { REGRESSIONS } from "./regressions.ts";
import { explain, runSchedule } from "./schedule.ts";

const SCHEDULES = 300;

async function traced(seed: number): Promise<string> {
  const lines: string[] = [];
  await runSchedule(seed, (line) => lines.push(line));
  return lines.join("\n");
}

describe("the service under simulated faults", () => {
  test.each([11, 12, 13])("seed %i gives a byte-identical trace every time", async (seed) => {
    const first = await traced(seed);
    expect(first.length).toBeGreaterThan(1_000);
    expect((await traced(seed)) === first).toBe(true);
  });

  test.each(REGRESSIONS)("seed $seed holds; it found: $found", async ({ seed }) => {
    const report = await runSchedule(seed);
    expect(report.failure === undefined ? undefined : explain(report)).toBeUndefined();
  });

  test(`${SCHEDULES} schedules hold`, { timeout: 300_000 }, async () => {
    const failures: string[] = [];
    for (let seed = 1; seed <= SCHEDULES; seed += 1) {
      const report = await runSchedule(seed);
      if (report.failure !== undefined) failures.push(explain(report));
    }
    expect(failures).toEqual([]);
  });
});
