/** Recurring schedules on the wire. */
import { expect, test } from "vitest";
import { epochMs, scheduleName } from "../../src/core/types.ts";
import type { Schedule, ScheduleSettings } from "../../src/core/schedule.ts";
import { fixture, NOW, utf8 } from "./face-fixture.ts";

const VALID = { everySeconds: 60, queue: "orders", message: { body: { n: 1.0 } } };

const schedule = (settings: ScheduleSettings): Schedule => ({
  ...settings,
  name: scheduleName("daily"),
  scheduleId: "abc",
  createdAt: NOW,
  since: NOW,
  nextAt: epochMs(NOW + 60_000),
  version: 1,
});

const service = {
  putSchedule: async (_: unknown, settings: ScheduleSettings) => ({
    created: true,
    schedule: schedule(settings),
  }),
};

test("a schedule reaches the service, its message's JSON as it was written", async () => {
  const { call, calls } = fixture(service);
  const body =
    '{ "cron": "0 9 * * *", "timeZone": "Europe/Berlin", "exchange": "events", "routingKey": "a.b", "message": { "body": { "n": 1.0 }, "headers": { "h": "x" }, "ttlSeconds": 9 }, "onMissed": "skip" }';
  const reply = await call("putSchedule", {
    headers: { "content-type": "application/json" },
    body,
  });
  expect(reply.status).toBe(201);
  const [name, settings] = (calls[0]?.args ?? []) as [string, ScheduleSettings];
  expect(name).toBe("daily");
  expect(settings).toMatchObject({
    recurrence: { cron: "0 9 * * *", timeZone: "Europe/Berlin" },
    target: { exchange: "events", routingKey: "a.b" },
    onMissed: "skip",
    message: { kind: "json", headers: { h: "x" }, ttlSeconds: 9 },
  });
  expect(utf8(settings.message.body)).toBe('{ "n": 1.0 }');
  expect(reply.text).toContain('"body":{ "n": 1.0 }');
  expect(reply.json()).toEqual({
    name: "daily",
    cron: "0 9 * * *",
    timeZone: "Europe/Berlin",
    exchange: "events",
    routingKey: "a.b",
    onMissed: "skip",
    message: {
      body: { n: 1 },
      contentType: "application/json",
      headers: { h: "x" },
      ttlSeconds: 9,
    },
    createdAt: "2026-01-02T03:04:05.006Z",
    nextAt: "2026-01-02T03:05:05.006Z",
  });
});

test("what is not given takes its default", async () => {
  const { call, calls } = fixture(service);
  await call("putSchedule", { body: { ...VALID, everySeconds: undefined, cron: "* * * * *" } });
  expect(calls[0]?.args[1]).toMatchObject({
    recurrence: { cron: "* * * * *", timeZone: "UTC" },
    onMissed: "fire",
  });
});

test.each<[object, string]>([
  [{ everySeconds: undefined }, ""],
  [{ cron: "* * * * *" }, ""],
  [{ queue: undefined }, ""],
  [{ exchange: "events" }, ""],
  [{ timeZone: "UTC" }, "timeZone"],
  [{ routingKey: "a" }, "routingKey"],
  [{ everySeconds: 0 }, "everySeconds"],
  [{ everySeconds: 1.5 }, "everySeconds"],
  [{ queue: "a b" }, "queue"],
  [{ onMissed: "later" }, "onMissed"],
  [{ message: undefined }, "message"],
  [{ message: "hello" }, "message"],
  [{ message: {} }, "message.body"],
  [{ message: { body: 1, delaySeconds: 5 } }, "message.delaySeconds"],
  [{ message: { body: 1, deliverAt: "2030-01-01T00:00:00Z" } }, "message.deliverAt"],
  [{ message: { body: 1, dedupId: "x" } }, "message.dedupId"],
  [{ message: { body: "x".repeat(65_537) } }, "message.body"],
  [{ every: 5 }, "every"],
])("%j is refused by name", async (over, path) => {
  const { call, calls } = fixture(service);
  const reply = await call("putSchedule", { body: { ...VALID, ...over } });
  expect(reply.fault()).toEqual([400, "invalid-request", path]);
  expect(calls).toEqual([]);
});

test("a key that may not send to the target is refused, and sees nothing of it", async () => {
  const key = {
    id: "k",
    name: "k",
    scopes: [{ actions: ["send" as const], queues: "mine-*" }],
    createdAt: NOW,
  };
  const settings: ScheduleSettings = {
    recurrence: { everySeconds: 60 },
    target: { queue: "orders" as never },
    message: { kind: "text", body: Buffer.from("x"), contentType: "text/plain", headers: {} },
    onMissed: "fire",
  };
  const { call, calls } = fixture(
    {
      ...service,
      authenticate: async () => key,
      getSchedule: async () => schedule(settings),
      listSchedules: async () => ({ schedules: [schedule(settings)] }),
    },
    { auth: { mode: "deployed" } },
  );
  const headers = { authorization: "Bearer secret" };
  expect((await call("putSchedule", { headers, body: VALID })).status).toBe(403);
  // Nor may it take over what sends elsewhere.
  const mine = { ...VALID, queue: "mine-1" };
  expect((await call("putSchedule", { headers, body: mine })).status).toBe(403);
  expect((await call("deleteSchedule", { headers })).status).toBe(403);
  expect((await call("getSchedule", { headers })).status).toBe(403);
  expect((await call("listSchedules", { headers })).json()).toEqual({ schedules: [] });
  expect(calls.some(({ method }) => method === "putSchedule" || method === "deleteSchedule")).toBe(
    false,
  );
});
