/** Hunts a figure in docs/what-it-costs.md that is no longer true. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it, vi } from "vitest";
import type { World } from "../../lambdas/instance.ts";
import { createJanitorHandler } from "../../lambdas/janitor-handler.ts";
import { loadUnits } from "../../bench/load-units.ts";
import { blocks, SHOWN } from "../../bin/cost-text.ts";
import { PRICES, total, USAGE, waitingConsumer } from "../../lib/cost.ts";
import { ELSEWHERE, loadCost, sqsCost } from "../../lib/load-cost.ts";
import type { Load } from "../../lib/load-cost.ts";
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

describe("the page", () => {
  const page = readFileSync(new URL("../../docs/what-it-costs.md", import.meta.url), "utf8");

  it("holds what is computed now (`npm run cost -- --write` renews it)", async () => {
    const held = [
      ...page.matchAll(
        /<!-- (\w+): npm run cost -- --write -->\n([^]*?)<!-- prettier-ignore-end -->/g,
      ),
    ].map(([, name = "", text = ""]) => [name, text.trim()]);
    expect(Object.fromEntries(held)).toEqual(await blocks());
  });

  it("shows the bill of the command that it names", () => {
    const { messagesPerDay, batch, bytes, consumers } = SHOWN;
    const [, ...given] =
      /npm run cost -- --messages (\S+) --batch (\S+) --bytes (\S+) --consumers (\S+)/.exec(page) ??
      [];
    expect(given.map(Number)).toEqual([messagesPerDay, batch, bytes, consumers]);
  });

  it("says what the prices are and of when", () => {
    for (const word of [PRICES.asOf, PRICES.region, ELSEWHERE.asOf]) expect(page).toContain(word);
  });
});

describe("a load", () => {
  const load: Load = { ...SHOWN, messagesPerDay: 24_000, batch: 1, consumers: 0, retentionDays: 1 };
  const units = { writeUnits: 4, readUnits: 8, storedBytes: 1024 ** 3 / 24_000, waitReads: 0 };

  it("costs what its requests, units and bytes cost", () => {
    const lines = new Map(loadCost(load, units).map(({ what, dollars }) => [what, dollars]));
    // 1,000 messages an hour, 730 hours: 0.73 million.
    expect(lines.get("HTTP API")).toBeCloseTo(3 * 0.73);
    expect(lines.get("DynamoDB, writes")).toBeCloseTo(0.73 * 4 * PRICES.dynamoWritePerMillion);
    expect(lines.get("DynamoDB, reads")).toBeCloseTo(0.73 * 8 * PRICES.dynamoReadPerMillion);
    expect(lines.get("DynamoDB, storage")).toBeCloseTo(PRICES.dynamoGbMonth);
    expect(lines.get("Lambda, waiting")).toBeUndefined();
  });

  it("of large batches pays the API for each 512 KB", () => {
    const large = { ...load, messagesPerDay: 2_400_000, batch: 100, bytes: 10_000 };
    const api = loadCost(large, units).find(({ what }) => what === "HTTP API");
    expect(api?.dollars).toBeCloseTo(0.73 * (2 + 2 + 1));
  });

  it("with consumers that wait costs what they cost on an empty queue, at the most", () => {
    const waiting = { ...load, messagesPerDay: 1, consumers: 3 };
    const more =
      total(loadCost(waiting, { ...units, waitReads: USAGE.waitReads })) -
      total(loadCost({ ...waiting, consumers: 0 }, units));
    expect(more).toBeCloseTo(3 * total(waitingConsumer(256)), 3);
  });

  it("costs SQS's price for each request of ten, and of 64 KB", () => {
    expect(sqsCost(load)).toBeCloseTo(0.73 * 3 * 0.4);
    expect(sqsCost({ ...load, batch: 50 })).toBeCloseTo((0.73 / 10) * 3 * 0.4);
    expect(sqsCost({ ...load, bytes: 100_000 }, true)).toBeCloseTo(0.73 * 5 * 0.5);
  });

  it("has the same units whenever it is measured; an idempotency key costs one a request", async () => {
    const small = { ...load, messagesPerDay: 1e6, batch: 10 };
    const first = await loadUnits(small);
    expect(await loadUnits(small)).toEqual(first);
    const once = await loadUnits({ ...small, once: true });
    expect(once.writeUnits - first.writeUnits).toBeCloseTo(1 / 10);
  });
});

it("makes a waiting consumer's cost follow its memory", () => {
  expect(total(waitingConsumer(512))).toBeGreaterThan(1.8 * total(waitingConsumer(256)));
});
