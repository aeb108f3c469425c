/**
 * Hunts for a repeated receive that gives other messages, or the same ones though somebody has deleted
 * or changed one of them; and for one that takes a message from whoever has it by then.
 */
import { describe, expect, it } from "vitest";
import type { OutgoingMessage } from "../../src/core/message.ts";
import type { Service } from "../../src/service/api.ts";
import {
  bodyOf,
  createWorld,
  Q,
  receiptsOf,
  statusesOf,
  text,
  throttled,
  unknown,
} from "./fixture.ts";
import { first, tampered } from "./tampered.ts";
import type { Call } from "./tampered.ts";

const LEASE_MS = 30_000;
const MINUTE = 60_000;

const keyed = (key: string, body: string): OutgoingMessage => ({ ...text(body), key });
const MESSAGES = [keyed("a", "a1"), keyed("a", "a2"), keyed("b", "b1")];

async function sent() {
  const world = createWorld();
  const service = world.instance();
  await service.putQueue(Q, { order: "key", lanes: 2 });
  await service.send(Q, MESSAGES);
  return { world, service };
}

const receive = (
  service: Service,
  attempt?: string,
  more: { max?: number; leaseSeconds?: number } = {},
) =>
  service.receive(Q, {
    max: 10,
    group: "default",
    ...(attempt === undefined ? {} : { attempt }),
    ...more,
  });

describe("a receive that is made again", () => {
  it("Z2: gives the same messages under the same receipts, with their leases renewed, by any instance", async () => {
    const { world, service } = await sent();
    const once = await receive(service, "x");
    expect(once.map(bodyOf).toSorted()).toEqual(["a1", "a2", "b1"]);
    for (const instance of [service, world.instance(), world.instance()]) {
      await world.advance(LEASE_MS - 1_000);
      const again = await receive(instance, "x");
      expect(again).toEqual(
        once.map((message) => ({ ...message, leaseExpiresAt: world.now() + LEASE_MS })),
      );
    }
    await world.advance(LEASE_MS - 1_000);
    expect(await receive(world.instance())).toEqual([]);
    const results = await service.ack(Q, receiptsOf(once));
    expect(statusesOf(results)).toEqual(["done", "done", "done"]);
  });

  it("takes the lease that the repeat asks for", async () => {
    const { world, service } = await sent();
    await receive(service, "x");
    const again = await receive(service, "x", { leaseSeconds: 600 });
    expect(new Set(again.map(({ leaseExpiresAt }) => leaseExpiresAt))).toEqual(
      new Set([world.now() + 600_000]),
    );
  });

  it("under another id is another one", async () => {
    const { service } = await sent();
    const once = await receive(service, "x", { max: 1 });
    const other = await receive(service, "y", { max: 1 });
    expect(once).toHaveLength(1);
    expect(other.map(({ id }) => id)).not.toEqual(once.map(({ id }) => id));
    expect(await receive(service, "x")).toEqual(once);
  });

  it("after 5 min is one like any other", async () => {
    const { world, service } = await sent();
    await receive(service, "x", { leaseSeconds: 600 });
    await world.advance(5 * MINUTE);
    expect(await receive(service, "x")).toEqual([]);
  });

  it("after its leases have run out gives the messages anew", async () => {
    const { world, service } = await sent();
    const once = await receive(service, "x");
    await world.advance(LEASE_MS);
    const again = await receive(service, "x");
    expect(again.map(({ receives }) => receives)).toEqual([2, 2, 2]);
    expect(receiptsOf(again)).not.toEqual(receiptsOf(once));
    expect(await receive(service, "x")).toEqual(again);
  });

  it("that found nothing leaves nothing behind", async () => {
    const { world, service } = await sent();
    await service.purgeQueue(Q);
    expect(await receive(service, "x")).toEqual([]);
    expect(world.store.items("lanes").filter(({ pk }) => pk.startsWith("attempt#"))).toEqual([]);
    await service.send(Q, MESSAGES);
    expect(await receive(service, "x")).toHaveLength(3);
  });

  const changes: readonly [string, (service: Service, receipt: string) => Promise<unknown>][] = [
    ["deleted", (service, receipt) => service.ack(Q, [receipt])],
    ["released", (service, receipt) => service.release(Q, [receipt], { countAttempt: true })],
    ["extended", (service, receipt) => service.extend(Q, [receipt], { leaseSeconds: 100 })],
  ];
  it.each(changes)("is one like any other once a message has been %s", async (_, change) => {
    const { world, service } = await sent();
    const once = await receive(service, "x");
    const [receipt = ""] = receiptsOf(once);
    await change(service, receipt);
    await world.advance(1_000);
    const again = await receive(world.instance(), "x");
    const old = new Set(receiptsOf(once));
    expect(again.filter((message) => old.has(message.receipt))).toEqual([]);
  });

  it("of one message whose lease was extended in place is one like any other", async () => {
    const { world, service } = await sent();
    const [message] = await receive(service, "x", { max: 1 });
    await service.extend(Q, [message?.receipt ?? ""], { leaseSeconds: 100 });
    await world.advance(1_000);
    const again = await receive(service, "x");
    expect(again.map(({ id }) => id)).not.toContain(message?.id);
  });
});

describe("what an attempt costs", () => {
  it("is one read before the claim and one write behind it, and nothing where none is named", async () => {
    const { world } = await sent();
    const { store, calls } = tampered(world.store, () => undefined);
    const service = world.instance(store);
    const about = () => calls.filter(({ pk }) => pk.startsWith("attempt#")).map(({ op }) => op);
    await receive(service, undefined, { max: 1 });
    expect(about()).toEqual([]);
    await receive(service, "x", { max: 1 });
    expect(about()).toEqual(["get", "put"]);
  });
});

describe("a crash or a fault", () => {
  const isAttempt =
    (op: Call["op"]) =>
    (call: Call): boolean =>
      call.op === op && call.pk.startsWith("attempt#");

  it("Z1: while an attempt is written down takes no message from its receive", async () => {
    const { world } = await sent();
    const faulty = tampered(world.store, first(1, isAttempt("put"), { throws: throttled })).store;
    expect(await receive(world.instance(faulty), "x")).toHaveLength(3);
    expect(await receive(world.instance(), "x")).toEqual([]);
    await world.advance(LEASE_MS);
    expect(await receive(world.instance(), "x")).toHaveLength(3);
  });

  it.each([true, false])(
    "Z3: before a repeat has renewed the leases leaves it repeatable (applied: %s)",
    async (applied) => {
      const { world, service } = await sent();
      const once = await receive(service, "x");
      await world.advance(1_000);
      const isRenewal = (call: Call) => call.op === "update" && call.pk.startsWith("cursor#");
      for (let crashes = 0; crashes < 3; crashes++) {
        const fault = first(1, isRenewal, { throws: unknown, applied });
        const faulty = world.instance(tampered(world.store, fault).store);
        await expect(receive(faulty, "x")).rejects.toMatchObject({ code: "outcome-unknown" });
        await world.advance(1_000);
      }
      expect(receiptsOf(await receive(world.instance(), "x"))).toEqual(receiptsOf(once));
    },
  );
});
