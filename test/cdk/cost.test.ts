/** Hunts a figure in docs/operations.md that is no longer true. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it, vi } from "vitest";
import type { World } from "../../lambdas/instance.ts";
import { createJanitorHandler } from "../../lambdas/janitor-handler.ts";
import { costTables, PRICES, total, USAGE, waitingConsumer } from "../../lib/cost.ts";
import { epochMs, queueName } from "../../src/core/types.ts";
import type { Service } from "../../src/service/api.ts";
import { createService } from "../../src/service/service.ts";
import { createMemoryStore } from "../../src/store/memory.ts";

interface Units {
  readonly reads: number;
  readonly writes: number;
}

interface Metered {
  readonly world: World;
  readonly service: Service;
  readonly advance: (ms: number) => void;
  readonly used: (work: () => Promise<unknown>) => Promise<Units>;
}

function metered(): Metered {
  let nowMs = Date.UTC(2026, 0, 1);
  let readUnits = 0;
  let writeUnits = 0;
  const world: World = {
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
  };
  return {
    world,
    service: createService({ ...world, skewMarginMs: 1_000, relaxed: false }),
    advance: (ms) => {
      nowMs += ms;
    },
    async used(work) {
      const before = { readUnits, writeUnits };
      await work();
      return { reads: readUnits - before.readUnits, writes: writeUnits - before.writeUnits };
    },
  };
}

/** Once the caches are warm. */
async function average(times: number, one: () => Promise<Units>): Promise<Units> {
  await one();
  let reads = 0;
  let writes = 0;
  for (let time = 0; time < times; time++) {
    const used = await one();
    reads += used.reads;
    writes += used.writes;
  }
  return { reads: reads / times, writes: writes / times };
}

const QUEUE = queueName("idle");

describe("usage", () => {
  it("of a consumer that waits is as stated, and writes nothing", async () => {
    const { service, used } = metered();
    await service.putQueue(QUEUE, {});
    const wait = () => service.receive(QUEUE, { max: 1, waitSeconds: 20, group: "default" });
    const { reads, writes } = await average(30, () => used(wait));
    expect(reads).toBeCloseTo(USAGE.waitReads, -0.3);
    expect(writes).toBe(0);
  });

  it("of a consumer that asks every 20 s is as stated, and writes nothing", async () => {
    const { service, used, advance } = metered();
    await service.putQueue(QUEUE, {});
    const { reads, writes } = await average(30, () => {
      advance(20_000);
      return used(() => service.receive(QUEUE, { max: 1, group: "default" }));
    });
    expect(reads).toBeCloseTo(USAGE.pollReads, 0);
    expect(writes).toBe(0);
  });

  it("of the janitor is as stated", async () => {
    vi.stubEnv("POWERTOOLS_METRICS_NAMESPACE", "LaneMQ");
    const { world, service, used, advance } = metered();
    const janitor = createJanitorHandler(world);
    const round = () => {
      advance(60_000);
      return used(() => janitor({}, { getRemainingTimeInMillis: () => 58_000 }));
    };
    const without = await average(30, round);
    for (let queue = 0; queue < 10; queue++) await service.putQueue(queueName(`q${queue}`), {});
    const withTen = await average(30, round);
    vi.unstubAllEnvs();
    expect(without.reads).toBeCloseTo(USAGE.janitorReads, 0);
    expect((withTen.reads - without.reads) / 10).toBeCloseTo(USAGE.janitorReadsPerQueue, 0);
    expect([without.writes, withTen.writes]).toEqual([USAGE.janitorWrites, USAGE.janitorWrites]);
  });
});

describe("the guide", () => {
  const guide = readFileSync(new URL("../../docs/operations.md", import.meta.url), "utf8");

  it("holds the tables as they are computed now (`npx tsx bin/cost.ts` renews them)", () => {
    const [, tables] =
      /<!-- prettier-ignore-start -->\n([^]*)<!-- prettier-ignore-end -->/.exec(guide) ?? [];
    expect(tables?.trim()).toBe(costTables());
  });

  it("says what the prices are and of when", () => {
    expect(guide).toContain(PRICES.asOf);
    expect(guide).toContain(PRICES.region);
  });
});

it("makes a waiting consumer's cost follow its memory", () => {
  expect(total(waitingConsumer(512))).toBeGreaterThan(1.8 * total(waitingConsumer(256)));
});
