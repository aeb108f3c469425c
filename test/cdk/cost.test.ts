/** Hunts a figure in docs/operations.md that is no longer true. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { costTables, PRICES, total, USAGE, waitingConsumer } from "../../lib/cost.ts";
import { epochMs, queueName } from "../../src/core/types.ts";
import type { Service } from "../../src/service/api.ts";
import { createService } from "../../src/service/service.ts";
import { createMemoryStore } from "../../src/store/memory.ts";
import { resources, synth } from "./synth.ts";

interface Metered {
  readonly service: Service;
  readonly now: () => number;
  readonly advance: (ms: number) => void;
  /** Read units that `work` takes; it may write nothing. */
  readonly reads: (work: () => Promise<unknown>) => Promise<number>;
}

function metered(): Metered {
  let nowMs = Date.UTC(2026, 0, 1);
  let readUnits = 0;
  let writeUnits = 0;
  const service = createService({
    store: createMemoryStore({
      onRequest: (request) => {
        readUnits += request.readUnits;
        writeUnits += request.writeUnits;
      },
    }),
    clock: { now: () => epochMs(nowMs) },
    sleep: async (ms) => {
      nowMs += ms;
      await turn();
    },
    random: () => 0.5,
    randomBytes,
    skewMarginMs: 1_000,
    relaxed: false,
  });
  return {
    service,
    now: () => nowMs,
    advance: (ms) => {
      nowMs += ms;
    },
    async reads(work) {
      const before = { readUnits, writeUnits };
      await work();
      expect(writeUnits, "idleness writes nothing").toBe(before.writeUnits);
      return readUnits - before.readUnits;
    },
  };
}

/** On average, once the caches are warm. */
async function average(times: number, one: () => Promise<number>): Promise<number> {
  await one();
  let sum = 0;
  for (let time = 0; time < times; time++) sum += await one();
  return sum / times;
}

const QUEUE = queueName("idle");

describe("usage", () => {
  it("of a consumer that waits is as stated", async () => {
    const { service, reads } = metered();
    await service.putQueue(QUEUE, {});
    const wait = () => service.receive(QUEUE, { max: 1, waitSeconds: 20, group: "default" });
    expect(await average(30, () => reads(wait))).toBeCloseTo(USAGE.waitReads, 0);
  });

  it("of a consumer that asks every 20 s is as stated", async () => {
    const { service, reads, advance } = metered();
    await service.putQueue(QUEUE, {});
    const poll = () => {
      advance(20_000);
      return reads(() => service.receive(QUEUE, { max: 1, group: "default" }));
    };
    expect(await average(30, poll)).toBeCloseTo(USAGE.pollReads, 1);
  });

  it("of the janitor is as stated", async () => {
    const { service, reads, advance, now } = metered();
    const round = () => {
      advance(60_000);
      return reads(() => service.runJanitor(epochMs(now() + 50_000)));
    };
    const without = await average(30, round);
    for (let queue = 0; queue < 10; queue++) await service.putQueue(queueName(`q${queue}`), {});
    const withTen = await average(30, round);
    expect(without).toBeCloseTo(USAGE.janitorReads, 1);
    expect((withTen - without) / 10).toBeCloseTo(USAGE.janitorReadsPerQueue, 1);
  });

  it("of alarms is as many metrics as the template has", () => {
    const metrics = resources(synth().template, "AWS::CloudWatch::Alarm").map(
      ([, alarm]) =>
        (alarm.Properties["Metrics"] as { MetricStat?: unknown }[] | undefined)?.filter(
          (one) => one.MetricStat !== undefined,
        ).length ?? 1,
    );
    expect(metrics.reduce((sum, count) => sum + count, 0)).toBe(USAGE.alarmMetrics);
  });
});

describe("the guide", () => {
  const guide = readFileSync(new URL("../../docs/operations.md", import.meta.url), "utf8");

  it("holds the tables as they are computed now (`npx tsx bin/cost.ts` renews them)", () => {
    expect(guide).toContain(costTables());
  });

  it("says what the prices are and of when", () => {
    expect(guide).toContain(PRICES.asOf);
    expect(guide).toContain(PRICES.region);
  });
});

it("makes a waiting consumer's cost follow its memory", () => {
  expect(total(waitingConsumer(512))).toBeGreaterThan(1.8 * total(waitingConsumer(256)));
});
