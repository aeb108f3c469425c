/**
 * The embedded service, killed with its engine in the middle of sends, receives, acks, dead-lettering
 * and redrives, over and over on one data folder. Hunts what a crash can break that a clean stop hides:
 * writes confirmed before they are kept, moves done by half or twice, receipts and tails of a process
 * that is gone.
 */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildServers, serve } from "../../bench/served.ts";
import { epochMs } from "../../src/core/types.ts";
import type { QueueName } from "../../src/core/types.ts";
import { sleep } from "../../src/store/sleep.ts";
import { openStorage } from "../../src/local/storage.ts";
import type { Service } from "../../src/service/api.ts";
import { createService } from "../../src/service/service.ts";
import { dataFolderUntil } from "../e2e/folders.ts";
import { caller } from "../e2e/local-service.ts";
import { Random } from "../sim/random.ts";
import { Caller } from "./caller.ts";
import type { Held } from "./caller.ts";
import { Ledger, textOf } from "./ledger.ts";
import { checkPlaces } from "./places.ts";

const KILLS = 22;
const CALLERS = 8;
const WORK = "work" as QueueName;
const DEAD = "dead" as QueueName;
/** Longer than any lease, also that of a dead-lettering that was left half way. */
const LEASES_MS = 130_000;

const folder = dataFolderUntil(afterAll);
beforeAll(buildServers);

test(
  "killed 22 times, it has lost nothing that it confirmed, and nothing acked returns",
  { timeout: 180_000 },
  async () => {
    const data = await folder();
    const random = new Random(7);
    const ledger = new Ledger(() => performance.now());
    const held = new Map<string, Held>();
    for (let round = 0; round < KILLS; round += 1) {
      const served = await serve("lanes", { data });
      const call = caller(served.url);
      expect((await call("PUT", `/v1/queues/${DEAD}`, {})).status).toBe(round === 0 ? 201 : 200);
      const settings = { leaseSeconds: 1, maxReceives: 3, deadLetter: { queue: DEAD } };
      await call("PUT", `/v1/queues/${WORK}`, settings);
      let left = random.int(16, 130);
      let killed: Promise<void> | undefined;
      // Counted when a request leaves and when its answer comes: either may be what it dies at.
      const onStep = (): void => {
        left -= 1;
        if (left === 0) killed = served.kill();
      };
      await Promise.all(
        Array.from({ length: CALLERS }, () =>
          new Caller({ url: served.url, ledger, random: random.fork(), held, onStep }).run(),
        ),
      );
      expect(left, "a call failed before the service was killed").toBeLessThanOrEqual(0);
      await killed;
    }
    const confirmed = ledger.messages.filter(({ sent }) => sent === "yes");
    expect(confirmed.length).toBeGreaterThan(KILLS * 5);
    // It died in the middle of all of them.
    expect(ledger.messages.some(({ sent }) => sent === "perhaps")).toBe(true);
    expect(ledger.messages.some(({ acksInDoubt }) => acksInDoubt > 0)).toBe(true);
    expect(ledger.messages.some(({ ackedAt }) => ackedAt < Infinity)).toBe(true);

    const storage = await openStorage({ data });
    try {
      let passedMs = 0;
      const service = createService({
        store: storage.store(),
        clock: { now: () => epochMs(Date.now() + passedMs) },
        sleep,
        random: () => random.unit(),
        randomBytes,
        skewMarginMs: 0,
        relaxed: false,
      });
      // Twice, for the first receives take up what was left half way to the dead-letter queue.
      for (let pass = 0; pass < 2; pass += 1) {
        passedMs += LEASES_MS;
        for (const queue of [WORK, DEAD]) await empty(service, queue, ledger);
      }
      expect(ledger.outstanding()).toEqual([]);
      for (const queue of [WORK, DEAD])
        expect((await service.getQueue(queue)).depth).toEqual({ ready: 0, leased: 0, delayed: 0 });
      const queues = [
        { name: WORK, takesDead: false },
        { name: DEAD, takesDead: true },
      ];
      const homes = await checkPlaces(service, queues, (view) => ledger.identify(textOf(view)));
      expect(confirmed.filter((message) => !homes.has(message))).toEqual([]);
    } finally {
      await storage.close();
    }
  },
);

async function empty(service: Service, queue: QueueName, ledger: Ledger): Promise<void> {
  for (;;) {
    const begunAt = performance.now();
    const views = await service.receive(queue, { max: 1_000, leaseSeconds: 60, group: "default" });
    if (views.length === 0) return;
    const messages = views.map((view) => ledger.delivered(view.id, textOf(view), begunAt));
    const receipts = views.map(({ receipt }) => receipt);
    const results = await service.ack(queue, receipts);
    results.forEach(({ status }, index) => {
      const message = messages[index];
      if (message === undefined) return;
      ledger.acking(message);
      ledger.acked(message, status);
    });
  }
}
