/** Hunts what an instance takes for stored that is not, or not as it remembers it (L2). */
import { describe, expect, it } from "vitest";
import type { ReceivedMessage, Service } from "../../src/service/api.ts";
import { createService } from "../../src/service/service.ts";
import type { Store } from "../../src/store/port.ts";
import { createWorld, logOf, Q, receiptsOf, text } from "./fixture.ts";
import type { World } from "./fixture.ts";

/** An instance that has many callers, as the embedded server, and a count of its queries of logs. */
function embedded(world: World) {
  const state = { queries: 0, from: [] as (string | undefined)[] };
  const store: Store = {
    ...world.store,
    query: (table, pk, range) => {
      if (pk.startsWith("log#")) {
        state.queries += 1;
        state.from.push(range.from);
      }
      return world.store.query(table, pk, range);
    },
  };
  return { state, service: createService({ ...world.deps(store), gather: async () => {} }) };
}

const MESSAGES = [
  text("plain"),
  { ...text("with all"), headers: { a: "b" }, key: "k", contentType: "text/x", ttlSeconds: 60 },
  { ...text("of SQS"), sqs: { types: { n: "Number" }, trace: "Root=1" }, headers: { n: "1" } },
  { ...text("once"), dedupId: "d1" },
];

const bodyOf = ({ body }: ReceivedMessage): string => Buffer.from(body).toString();
const take = (service: Service, max: number) => service.receive(Q, { max, group: "default" });

/** With a first message behind it: a lane's beginning is found by a query. */
async function begun(world: World) {
  const { service, state } = embedded(world);
  await service.putQueue(Q, { lanes: 1 });
  await service.send(Q, [text("first")]);
  await service.ack(Q, receiptsOf(await take(service, 1)));
  state.queries = 0;
  state.from = [];
  return { service, state };
}

describe("an instance that stores and reads", () => {
  it("reads nothing of what it has stored itself, and gives it as any other would", async () => {
    const world = createWorld();
    const { service, state } = await begun(world);
    for (const message of MESSAGES) await service.send(Q, [message]);
    const own = await take(service, MESSAGES.length);
    expect([own.length, state.queries]).toEqual([MESSAGES.length, 0]);
    await service.release(Q, receiptsOf(own), { countAttempt: true });
    const other = await take(world.instance(), MESSAGES.length);
    const sent = (messages: typeof own) =>
      messages.map((message) => ({
        ...message,
        receipt: "",
        leaseExpiresAt: 0,
        receives: 0,
        body: bodyOf(message),
      }));
    expect(sent(own)).toEqual(sent(other));
  });

  it("takes an entry that another stored there for what it is", async () => {
    const world = createWorld();
    const { service } = await begun(world);
    await service.send(Q, [text("a")]);
    await world.instance().send(Q, [text("of another")]);
    // It meets the other's entry where it believed the tail to be, and stores behind it.
    await world.through(service.send(Q, [text("b")]));
    expect((await take(service, 9)).map(bodyOf)).toEqual(["a", "of another", "b"]);
  });

  it("passes over what has expired as far as it knows the log, in few writes", async () => {
    const world = createWorld();
    const { service, state } = await begun(world);
    for (let n = 0; n < 300; n++) await service.send(Q, [{ ...text(`${n}`), ttlSeconds: 60 }]);
    await world.advance(61_000);
    await service.send(Q, [text("alive")]);
    world.requests.length = 0;
    state.queries = 0;
    expect((await take(service, 1)).map(bodyOf)).toEqual(["alive"]);
    expect(world.requests.filter(({ action }) => action === "UpdateItem")).toHaveLength(1);
    expect(state.queries).toBe(0);
  });

  it("goes on in the next segment without a query, wherever the one before it was cut", async () => {
    const world = createWorld();
    const { service, state } = await begun(world);
    const bodies = Array.from({ length: 1_400 }, (_, n) => `${n}`);
    for (let at = 0; at < bodies.length; at += 10)
      await service.send(Q, bodies.slice(at, at + 10).map(text));
    let cuts = 0;
    const got: string[] = [];
    while (got.length < bodies.length) {
      const taken = await take(service, 7);
      got.push(...taken.map(bodyOf));
      const cursor = world.store.items("lanes").find(({ sk }) => sk === "default");
      cuts = Math.max(
        cuts,
        ((cursor?.["segments"] as string | undefined) ?? "").split(" ").length - 1,
      );
    }
    expect(got).toEqual(bodies);
    expect(cuts).toBeGreaterThan(2);
    expect(state.queries).toBe(0);
  });

  it("asks for what follows what it knows, and for no more", async () => {
    const world = createWorld();
    const { service, state } = await begun(world);
    await service.send(Q, [text("a"), text("b")]);
    await world.instance().send(Q, [text("of another")]);
    const log = await logOf(world);
    expect((await take(service, 3)).map(bodyOf)).toEqual(["a", "b", "of another"]);
    expect(state.from).toEqual([log.at(-1)?.sk]);
  });

  it("queries where it knows what is behind a gap, but not what is in it", async () => {
    const world = createWorld();
    const { service, state } = await begun(world);
    await world.instance().send(Q, [text("a")]);
    await world.through(service.send(Q, [text("b")]));
    expect((await take(service, 2)).map(bodyOf)).toEqual(["a", "b"]);
    expect(state.queries).toBe(1);
  });
});
