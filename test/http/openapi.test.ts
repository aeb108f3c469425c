/** Hunts for a document that is not valid, not current, or not true of what the face answers. */
import { readFileSync } from "node:fs";
import { Validator } from "@seriousme/openapi-schema-validator";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { LaneError } from "../../src/core/errors.ts";
import { OPENAPI } from "../../src/http/openapi-document.ts";
import { problemSchema, SHAPES } from "../../src/http/openapi-shapes.ts";
import { openApiDocument } from "../../src/http/openapi.ts";
import { ROUTES } from "../../src/http/routes.ts";
import type { Operation } from "../../src/http/routes.ts";
import { scheduleName } from "../../src/core/types.ts";
import { exchangeOf, fixture, NOW, queueView, receivedMessage } from "./face-fixture.ts";

test("docs/openapi.json is what bin/openapi.ts writes", () => {
  const file = readFileSync(new URL("../../docs/openapi.json", import.meta.url), "utf8");
  expect(JSON.parse(file)).toEqual(openApiDocument());
});

test("it is valid OpenAPI 3.1", async () => {
  const validator = new Validator();
  const result = await validator.validate(JSON.parse(OPENAPI) as Record<string, unknown>);
  expect(result.errors).toBeUndefined();
  expect(result.valid).toBe(true);
  expect(validator.version).toBe("3.1");
});

test("every reference in it leads somewhere", () => {
  const document = JSON.parse(OPENAPI) as { components: { schemas: Record<string, unknown> } };
  const references = [...OPENAPI.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)];
  expect(references.length).toBeGreaterThan(10);
  for (const [, name = ""] of references) expect(document.components.schemas).toHaveProperty(name);
  expect(OPENAPI).not.toContain("#/$defs");
});

test("it has every route, once", () => {
  const { paths } = openApiDocument() as { paths: Record<string, Record<string, unknown>> };
  const described = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(described.sort()).toEqual(ROUTES.map(({ method, path }) => `${method} ${path}`).sort());
});

test("the face serves it", async () => {
  const { call } = fixture({}, { openapi: OPENAPI });
  const reply = await call("openapi");
  expect([reply.status, reply.json()]).toEqual([200, openApiDocument()]);
});

describe("answers are as described", () => {
  const message = receivedMessage({
    kind: "json",
    body: Buffer.from("{}"),
    contentType: "application/json",
    headers: { a: "b" },
  });
  const dead = {
    ...message,
    place: "abcdefghijkl-2-1",
    deadLetter: {
      reason: "maxReceives" as const,
      queue: "orders",
      queueId: "abcdefghijkl",
      group: "default",
      lane: 0,
      offset: 1,
      receives: 3,
      firstReceivedAt: NOW,
      deadLetteredAt: NOW,
    },
  };
  const key = {
    id: "k",
    name: "n",
    scopes: [{ actions: ["send" as const], queues: "*" }],
    createdAt: NOW,
    expiresAt: NOW,
  };
  const schedule = {
    name: scheduleName("daily"),
    scheduleId: "abc",
    recurrence: { cron: "0 9 * * *", timeZone: "UTC" },
    target: { exchange: exchangeOf("a").name, routingKey: "x" },
    message: { ...message, ttlSeconds: 5 },
    onMissed: "fire" as const,
    createdAt: NOW,
    since: NOW,
    nextAt: NOW,
    version: 1,
  };
  const service = {
    receive: async () => [message, dead],
    browse: async () => ({ messages: [message, dead] }),
    lookUp: async () => ({
      ...dead,
      groups: { default: { state: "leased" as const, leaseExpiresAt: NOW, receives: 1 } },
    }),
    listScheduled: async () => ({ messages: [{ ...message, deliverAt: NOW }], next: "1" }),
    putSchedule: async () => ({ created: true, schedule }),
    getSchedule: async () => schedule,
    listSchedules: async () => ({ schedules: [schedule], next: schedule.name }),
    deleteSchedule: async () => undefined,
    listQueues: async () => ({ queues: [queueView("a")], next: queueView("a").name }),
    listKeys: async () => ({ keys: [key], next: "k" }),
    createKey: async () => ({ key, secret: "s" }),
    listExchanges: async () => ({
      exchanges: [exchangeOf("a", { type: "topic", alternate: exchangeOf("b").name })],
      next: exchangeOf("a").name,
    }),
    listBindings: async () => ({
      bindings: [
        {
          id: "a",
          exchange: exchangeOf("b").name,
          headers: { kind: "pdf", note: null },
          match: "any" as const,
          filter: { body: { a: [1] } },
        },
      ],
      next: "a",
    }),
    publish: async () => [
      { id: "a", queues: ["q"], duplicate: true as const },
      { id: "m-a", queues: ["q", "r"], places: { q: "1", r: "2" } },
      { unroutable: true as const },
      { queues: [] as const },
      {
        error: { code: "publish-incomplete" as const, detail: "d", retryable: false },
        id: "a",
        queues: ["q"],
      },
    ],
    send: async () => [
      { id: "a", duplicate: true as const, deliverAt: NOW, isPast: true as const },
      { error: { code: "throttled" as const, detail: "d", retryable: true } },
    ],
  };
  const bodies: Partial<Record<Operation, unknown>> = {
    send: { messages: [{ body: 1 }, { body: 2 }] },
    ack: { receipts: ["a"] },
    seekGroup: { from: "earliest" },
    release: { receipts: ["a"] },
    extend: { receipts: ["a"], leaseSeconds: 1 },
    putExchange: { type: "balance", by: "hash", hashHeader: "user" },
    putBinding: { queue: "orders", weight: 2, transform: { body: "/a" } },
    publish: { messages: [{ body: 1, routingKey: "a" }, { body: 2 }, { body: 3 }, { body: 4 }] },
    createKey: { name: "n", scopes: key.scopes },
    putSchedule: { everySeconds: 60, queue: "a", message: { body: 1 } },
  };

  test.each(ROUTES)("$operation", async ({ operation }) => {
    const { call } = fixture(service, { openapi: OPENAPI });
    const reply = await call(operation, { body: bodies[operation] });
    const { answer, statuses } = SHAPES[operation];
    expect(Object.keys(statuses)).toContain(String(reply.status));
    if (answer === undefined) expect(reply.text).toBe("");
    else expect(v.safeParse(answer, reply.json()).issues).toBeUndefined();
  });

  test("problems", async () => {
    const errors = [{ path: "a", message: "b" }];
    const getQueue = async () => Promise.reject(new LaneError("queue-conflict", "why", { errors }));
    const { call } = fixture({ getQueue });
    const reply = await call("getQueue");
    expect(v.safeParse(v.strictObject(problemSchema.entries), reply.json()).issues).toBeUndefined();
  });
});
