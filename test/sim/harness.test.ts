import { describe, expect, test } from "vitest";
import { runToy } from "./toy.ts";
import type { Damage } from "./toy.ts";

const SEEDS = 150;

async function failures(damage: Damage): Promise<number[]> {
  const failed: number[] = [];
  for (let seed = 1; seed <= SEEDS; seed += 1)
    if ((await runToy(seed, damage)) !== undefined) failed.push(seed);
  return failed;
}

async function traced(seed: number): Promise<string[]> {
  const lines: string[] = [];
  await runToy(seed, "none", (line) => lines.push(line));
  return lines;
}

describe("the simulation itself, judged by a protocol that can be judged by eye", () => {
  test("the same seed gives the same trace, another seed another one", async () => {
    const first = await traced(7);
    expect(first.length).toBeGreaterThan(50);
    expect(await traced(7)).toEqual(first);
    expect(await traced(8)).not.toEqual(first);
  });

  test("a sound protocol passes every schedule", async () => {
    expect(await failures("none")).toEqual([]);
  });

  test.each<Damage>(["unguarded", "retriesBlindly", "forgetsToRetry"])(
    "a protocol that is %s is found out",
    async (damage) => {
      expect((await failures(damage)).length).toBeGreaterThan(0);
    },
  );
});
