/** Hunts: a call of the API that the client has no method for, or sends elsewhere. */
import { expect, expectTypeOf, test } from "vitest";
import { LaneMQ } from "../../src/client/index.ts";
import { ROUTES } from "../../src/http/routes.ts";
import type { Operation } from "../../src/http/routes.ts";

/** Answers everything, in every call's way. */
const ANSWER = JSON.stringify({
  queues: [],
  exchanges: [],
  schedules: [],
  bindings: [],
  groups: [],
  messages: [{ id: "1", queues: [] }],
  results: [{ status: "done" }],
});

/** By `call` alone: administration, and what others have a fuller method for. */
const BY_CALL: readonly Operation[] = [
  ...(["createKey", "listKeys", "deleteKey"] as const),
  ...(["health", "openapi", "getBinding"] as const),
];

test("each operation has a method, or is known to be made by `call` alone", async () => {
  const seen = new Set<string>();
  const lanemq = new LaneMQ({
    fetch: async (input, init) => {
      const path = new URL(input).pathname;
      const route = ROUTES.find((one) => one.method === init?.method && fits(one.path, path));
      seen.add(route?.operation ?? `${init?.method} ${path}`);
      return new Response(ANSWER);
    },
    telemetry: false,
  });
  const queue = lanemq.queue("q");
  const group = queue.group("g");
  const exchange = lanemq.exchange("e");
  const schedule = lanemq.schedule("s");
  await queue.create();
  await queue.update({});
  await queue.info();
  await queue.purge();
  await queue.redrive();
  await queue.delete();
  await queue.send("a");
  await queue.receive();
  await queue.ack("r");
  await queue.release("r");
  await queue.extend("r", 1);
  await queue.find("1");
  await queue.cancel("1");
  await queue.groups();
  await group.create();
  await group.info();
  await group.seek("latest");
  await group.delete();
  await exchange.create({ type: "fanout" });
  await exchange.info();
  await exchange.bind("b", { queue: "q" });
  await exchange.unbind("b");
  await exchange.publish("a");
  await exchange.delete();
  await schedule.create({ everySeconds: 1, queue: "q", message: { body: "a" } });
  await schedule.info();
  await schedule.delete();
  for await (const _ of lanemq.queues());
  for await (const _ of lanemq.exchanges());
  for await (const _ of lanemq.schedules());
  for await (const _ of queue.browse());
  for await (const _ of queue.scheduled());
  for await (const _ of exchange.bindings());
  const operations = ROUTES.map(({ operation }) => operation);
  expect([...seen, ...BY_CALL].toSorted()).toEqual(operations.toSorted());
});

test("`call` takes the operations of the table, and no other", () => {
  expectTypeOf<Parameters<LaneMQ["call"]>[0]>().toEqualTypeOf<Operation>();
});

/** Whether a path is one of `/v1/queues/{queue}`'s kind. */
const fits = (pattern: string, path: string): boolean =>
  new RegExp(`^${pattern.replace(/\{\w+\}/g, "[^/]+")}$`).test(path);
