/** Recurring schedules as they fire: each due time once, whoever fires it and dies meanwhile. */
import { describe, expect, it } from "vitest";
import type { ScheduleSettings } from "../../src/core/schedule.ts";
import { epochMs, exchangeName, queueName, scheduleName } from "../../src/core/types.ts";
import type { Service } from "../../src/service/api.ts";
import { bodyOf, crash, createWorld, drain, Q, text, throttled, unknown } from "./fixture.ts";
import type { World } from "./fixture.ts";
import { tampered } from "./tampered.ts";
import type { Call, Fault } from "./tampered.ts";

const S = scheduleName("minutely");
const MINUTE = 60_000;
const DAY = 86_400_000;

const SETTINGS: ScheduleSettings = {
  recurrence: { everySeconds: 60 },
  target: { queue: Q },
  message: text("tick"),
  onMissed: "fire",
};

async function scheduled(over: Partial<ScheduleSettings> = {}) {
  const world = createWorld();
  const service = world.instance();
  await service.putQueue(Q, { lanes: 1 });
  await service.putSchedule(S, { ...SETTINGS, ...over });
  return { world, service };
}

const fire = (world: World, service: Service = world.instance()) =>
  service.fireSchedules(epochMs(world.now() + 20_000));

describe("a recurring schedule", () => {
  it("sends its message at each due time, which stands in its headers", async () => {
    const { world, service } = await scheduled();
    const began = world.now();
    expect(await fire(world)).toBe(0);
    for (const minute of [1, 2, 3]) {
      await world.advance(MINUTE);
      expect(await fire(world)).toBe(1);
      const [message] = await service.receive(Q, { max: 5, group: "default" });
      await service.ack(Q, [message?.receipt ?? ""]);
      expect(message?.headers).toEqual({
        "lane-schedule": S,
        "lane-due-at": new Date(began + minute * MINUTE).toISOString(),
      });
      expect((await drain(service)).length).toBe(0);
    }
  });

  it("is fired by the janitor, which says so", async () => {
    const { world, service } = await scheduled();
    await world.advance(MINUTE);
    const report = await world.instance().runJanitor(epochMs(world.now() + 50_000));
    expect(report.fired).toBe(1);
    expect(await drain(service)).toEqual(["tick"]);
  });

  it("asks the engine for nothing while nothing is due, but now and then", async () => {
    const { world } = await scheduled();
    const instance = world.instance();
    await fire(world, instance);
    world.requests.length = 0;
    for (let second = 0; second < 29; second++) {
      await world.advance(1_000);
      await fire(world, instance);
    }
    expect(world.requests).toEqual([]);
    await world.advance(31_000);
    expect(await fire(world, instance)).toBe(1);
  });

  it("V5: fires each due time once, whoever dies at which write", async () => {
    for (const fault of [
      { throws: crash, applied: true },
      { throws: crash },
      { throws: unknown, applied: true },
      { throws: unknown },
      { throws: throttled },
    ]) {
      for (let step = 0; ; step++) {
        const { world, service } = await scheduled();
        await world.advance(MINUTE);
        let writes = 0;
        const { store } = tampered(world.store, (call: Call): Fault | undefined =>
          call.op !== "get" && call.op !== "query" && writes++ === step ? fault : undefined,
        );
        await world.through(fire(world, world.instance(store))).catch(() => undefined);
        await world.advance(10_000);
        await world.through(fire(world));
        expect([step, await drain(service)]).toEqual([step, ["tick"]]);
        if (writes <= step) break;
      }
    }
  });

  it("V5: fires each due time once, though two fire at once", async () => {
    const { world, service } = await scheduled();
    await world.advance(2 * MINUTE);
    await world.through(Promise.all([fire(world), fire(world), fire(world)]));
    expect(await drain(service)).toHaveLength(2);
    expect(await fire(world)).toBe(0);
  });

  it("fires what was missed once, or skips it, as it says", async () => {
    for (const [onMissed, count] of [
      ["fire", 1],
      ["skip", 0],
    ] as const) {
      const { world, service } = await scheduled({
        recurrence: { everySeconds: 86_400 },
        onMissed,
      });
      await world.advance(5 * DAY + MINUTE * 10);
      await fire(world);
      expect(await drain(service)).toHaveLength(count);
      await world.advance(DAY - MINUTE * 10);
      await fire(world);
      expect(await drain(service)).toHaveLength(1);
    }
  });

  it("goes on at the same times when only its message is changed, and counts anew otherwise", async () => {
    const { world, service } = await scheduled();
    await world.advance(30_000);
    const { nextAt } = await service.getSchedule(S);
    const same = await service.putSchedule(S, { ...SETTINGS, message: text("tock") });
    expect(same).toMatchObject({ created: false, schedule: { nextAt } });
    const other = await service.putSchedule(S, { ...SETTINGS, recurrence: { everySeconds: 90 } });
    expect(other.schedule.nextAt).toBe(world.now() + 90_000);
  });

  it("reaches the queues that an exchange names", async () => {
    const world = createWorld();
    const service = world.instance();
    const exchange = exchangeName("events");
    await service.putQueue(Q, {});
    await service.putExchange(exchange, { type: "topic", alternate: null, mandatory: false });
    await service.putBinding(exchange, "all", { queue: Q, routingKey: "clock.*" });
    const target = { exchange, routingKey: "clock.minute" };
    await service.putSchedule(S, { ...SETTINGS, target });
    await world.advance(MINUTE);
    expect(await fire(world)).toBe(1);
    expect(await drain(service)).toEqual(["tick"]);
  });

  it("goes on though its queue is gone, and says so", async () => {
    const { world, service } = await scheduled();
    await service.deleteQueue(Q);
    await world.advance(MINUTE);
    await fire(world, service);
    expect(world.events).toContainEqual(
      expect.objectContaining({ type: "scheduleFailed", schedule: S }),
    );
    expect((await service.getSchedule(S)).nextAt).toBe(world.now() + MINUTE);
  });

  it("is read, listed and deleted by its name", async () => {
    const { world, service } = await scheduled();
    await service.putSchedule(scheduleName("a"), SETTINGS);
    const first = await service.listSchedules({ limit: 1 });
    expect(first).toMatchObject({ schedules: [{ name: "a" }], next: "a" });
    const second = await service.listSchedules({ limit: 1, after: scheduleName("a") });
    expect(second.schedules.map(({ name, message }) => [name, bodyOf(message)])).toEqual([
      [S, "tick"],
    ]);
    await service.deleteSchedule(S);
    for (const call of [service.getSchedule(S), service.deleteSchedule(S)])
      await expect(call).rejects.toMatchObject({ code: "schedule-not-found" });
    await world.advance(MINUTE);
    expect(await fire(world)).toBe(1);
  });

  it("is refused for a target that does not exist, a zone that is unknown, a time that never comes", async () => {
    const { service } = await scheduled();
    const put = (over: Partial<ScheduleSettings>) =>
      service.putSchedule(S, { ...SETTINGS, ...over });
    await expect(put({ target: { queue: queueName("none") } })).rejects.toMatchObject({
      code: "queue-not-found",
    });
    await expect(
      put({ target: { exchange: exchangeName("none"), routingKey: "" } }),
    ).rejects.toMatchObject({ code: "exchange-not-found" });
    await expect(
      put({ recurrence: { cron: "* * * * *", timeZone: "Nowhere" } }),
    ).rejects.toMatchObject({ errors: [{ path: "timeZone" }] });
    await expect(
      put({ recurrence: { cron: "0 0 31 2 *", timeZone: "UTC" } }),
    ).rejects.toMatchObject({ errors: [{ path: "cron" }] });
  });
});
