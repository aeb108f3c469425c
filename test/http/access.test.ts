/** Hunts for callers who may do what they must not, and for answers that say too much. */
import { describe, expect, test } from "vitest";
import { LaneError } from "../../src/core/errors.ts";
import type { Code } from "../../src/core/errors.ts";
import { callerWith, matches } from "../../src/core/scope.ts";
import type { AuthMode } from "../../src/http/authorise.ts";
import { queueName } from "../../src/core/types.ts";
import { ROUTES } from "../../src/http/routes.ts";
import type { Operation, Role } from "../../src/http/routes.ts";
import type { Action, ApiKeyView } from "../../src/service/api.ts";
import { eventOf, fixture, NOW } from "./face-fixture.ts";

const DEPLOYED: AuthMode = { mode: "deployed" };
const ADMIN_KEY: AuthMode = { mode: "admin-key", key: "s3cret" };
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

const keyOf = (
  actions: readonly Action[],
  pattern: string,
  of: "queues" | "exchanges" = "queues",
): ApiKeyView => ({
  id: "k1",
  name: "k",
  scopes: [{ actions, [of]: pattern }],
  createdAt: NOW,
});

const BODIES: Partial<Record<Operation, unknown>> = {
  send: { body: 1 },
  ack: { receipts: ["a"] },
  release: { receipts: ["a"] },
  extend: { receipts: ["a"], leaseSeconds: 1 },
  putExchange: { type: "direct" },
  putBinding: { exchange: "orders-eu" },
  publish: { body: 1 },
  putSchedule: { everySeconds: 60, queue: "orders", message: { body: 1 } },
  createKey: { name: "n", scopes: [{ actions: ["send"], queues: "*" }] },
};

const openToKeys = ROUTES.filter(({ auth }) => auth === "key");

describe("deployed", () => {
  test.each(ROUTES.filter(({ auth }) => auth !== "none"))(
    "$operation without credentials is 401, and nothing is read",
    async ({ operation }) => {
      const { call, calls } = fixture({}, { auth: DEPLOYED, openapi: "{}" });
      for (const headers of [{}, { authorization: "Basic abc" }, { authorization: "Bearer" }]) {
        const reply = await call(operation, { headers, body: "x".repeat(5_000_000) });
        expect(reply.fault()).toEqual([401, "unauthorized", undefined]);
      }
      expect(calls).toEqual([]);
    },
  );

  test("health is open", async () => {
    const { call } = fixture({}, { auth: DEPLOYED });
    expect((await call("health")).json()).toEqual({ status: "ok" });
  });

  test.each(openToKeys)("$operation with a key that is not known is 401", async ({ operation }) => {
    const { call, calls } = fixture({}, { auth: DEPLOYED });
    const reply = await call(operation, { headers: bearer("nope"), body: BODIES[operation] });
    expect(reply.fault()[0]).toBe(401);
    expect(calls).toEqual([{ method: "authenticate", args: ["nope"] }]);
  });

  test.each(ROUTES.filter(({ auth }) => auth === "iam"))(
    "$operation takes IAM's word and no API key's",
    async ({ operation }) => {
      const authenticate = async () => keyOf(["manage"], "*");
      const createKey = async () => ({ key: keyOf(["send"], "*"), secret: "x" });
      const { call } = fixture({ authenticate, createKey }, { auth: DEPLOYED });
      const body = BODIES[operation];
      expect((await call(operation, { headers: bearer("k"), body })).status).toBe(401);
      expect((await call(operation, { iam: "arn:aws:iam::1:role/x", body })).status).toBeLessThan(
        300,
      );
    },
  );

  test("IAM's word counts on its own routes only", async () => {
    const { call } = fixture({}, { auth: DEPLOYED });
    expect((await call("getQueue", { iam: "arn:aws:iam::1:role/x" })).status).toBe(401);
  });
});

describe("scopes", () => {
  const ALL: readonly Action[] = ["send", "receive", "browse", "manage"];
  const scoped = openToKeys.filter((route) => route.action !== undefined);

  test.each(scoped)("$operation needs its own action, on what the path names", async (route) => {
    const needed = route.action === "any" ? ALL : [route.action];
    const of = route.path.includes("{exchange}") ? "exchanges" : "queues";
    const attempt = async (
      actions: readonly Action[],
      pattern: string,
      kind: "queues" | "exchanges" = of,
    ): Promise<number> => {
      const authenticate = async () => keyOf(actions, pattern, kind);
      const { call } = fixture(
        {
          authenticate,
          lookUp: async () => Promise.reject(new LaneError("message-not-found", "")),
        },
        { auth: DEPLOYED },
      );
      const reply = await call(route.operation, {
        queue: "orders-eu",
        exchange: "orders-eu",
        headers: bearer("k"),
        body: BODIES[route.operation],
      });
      return reply.status;
    };
    for (const action of ALL) {
      const allowed = needed.some((one) => one === action);
      expect([action, (await attempt([action], "orders-*")) !== 403]).toEqual([action, allowed]);
    }
    expect(await attempt(ALL, "orders")).toBe(403);
    expect(await attempt(ALL, "*-us")).toBe(403);
    // The same name as a queue and as an exchange is two names.
    expect(await attempt(ALL, "*", of === "queues" ? "exchanges" : "queues")).toBe(403);
  });

  test("actions of one scope do not reach the queues of another", () => {
    const caller = callerWith([
      { actions: ["send"], queues: "a" },
      { actions: ["manage"], queues: "b" },
    ]);
    expect(caller.may(["manage"], queueName("a"))).toBe(false);
    expect(caller.may(["manage"], queueName("b"))).toBe(true);
  });

  test("a key cannot have messages moved into a queue that it may not write to", async () => {
    const authenticate = async () => keyOf(["manage"], "mine-*");
    const { call, calls } = fixture({ authenticate }, { auth: DEPLOYED });
    const headers = bearer("k");
    const at = { queue: "mine-1", headers };
    expect((await call("redrive", { ...at, body: { to: "theirs" } })).status).toBe(403);
    for (const operation of ["putQueue", "patchQueue"] as const) {
      for (const deadLetter of [{ queue: "theirs" }, { exchange: "theirs" }]) {
        const body = { deadLetter };
        expect((await call(operation, { ...at, body })).status).toBe(403);
      }
    }
    expect(calls.every(({ method }) => method === "authenticate")).toBe(true);
    expect((await call("redrive", { ...at, body: { to: "mine-2" } })).status).toBe(200);
  });

  test("a key cannot have messages routed to what it may not write to", async () => {
    const authenticate = async (): Promise<ApiKeyView> => ({
      id: "k1",
      name: "k",
      scopes: [
        { actions: ["manage"], exchanges: "mine-*", queues: "mine-*" },
        { actions: ["send"], exchanges: "default", queues: "open-*" },
      ],
      createdAt: NOW,
    });
    const { call, calls } = fixture({ authenticate }, { auth: DEPLOYED });
    const at = { exchange: "mine-1", headers: bearer("k") };
    const bind = async (body: unknown) => (await call("putBinding", { ...at, body })).status;
    expect(await bind({ queue: "theirs" })).toBe(403);
    expect(await bind({ exchange: "theirs" })).toBe(403);
    const alternate = { type: "direct", alternate: "theirs" };
    expect((await call("putExchange", { ...at, body: alternate })).status).toBe(403);
    const published = async (routingKey: string) =>
      (await call("publish", { ...at, exchange: "default", body: { body: 1, routingKey } })).status;
    expect(await published("theirs")).toBe(403);
    expect(await published("mine-2")).toBe(403);
    expect(calls.every(({ method }) => method === "authenticate")).toBe(true);
    expect(await bind({ queue: "mine-2" })).toBe(201);
    expect(await bind({ queue: "open-1" })).toBe(201);
    expect(await bind({ exchange: "mine-2" })).toBe(201);
    expect(await published("open-1")).toBe(201);
  });

  test("patterns: * stands for any run, everything else for itself", () => {
    const yes = [
      ["*", "a"],
      ["a*", "a"],
      ["a*", "abc"],
      ["*c", "abc"],
      ["a*c*e", "abcde"],
      ["a.b", "a.b"],
      ["**a", "aa"],
      ["*ab*ab", "abxab"],
    ];
    const no = [
      ["a", "ab"],
      ["a*", "ba"],
      ["a.b", "axb"],
      ["", "a"],
      ["a*c", "abcd"],
      ["*ab", "abc"],
      ["A", "a"],
    ];
    for (const [pattern = "", name = ""] of yes)
      expect([pattern, name, matches(pattern, name)]).toEqual([pattern, name, true]);
    for (const [pattern = "", name = ""] of no)
      expect([pattern, name, matches(pattern, name)]).toEqual([pattern, name, false]);
    expect(matches(`${"*a".repeat(39)}*b`, "a".repeat(80))).toBe(false);
  });
});

describe("embedded with an admin key", () => {
  test("the admin key may do anything, keys included; a wrong one nothing", async () => {
    const { call } = fixture({}, { auth: ADMIN_KEY });
    expect((await call("listKeys", { headers: bearer("s3cret") })).status).toBe(200);
    expect((await call("listKeys", { headers: { authorization: "bearer s3cret" } })).status).toBe(
      200,
    );
    expect((await call("getQueue", { headers: bearer("s3cret") })).status).toBe(200);
    for (const key of ["s3cre", "s3cret2", "S3CRET"]) {
      expect((await call("getQueue", { headers: bearer(key) })).status).toBe(401);
    }
    expect((await call("getQueue", { iam: "arn:aws:iam::1:role/x" })).status).toBe(401);
    expect((await call("listKeys", { iam: "arn:aws:iam::1:role/x" })).status).toBe(401);
  });

  test("a key that it made may do what its scopes say, and make no keys", async () => {
    const authenticate = async () => keyOf(["manage"], "*");
    const { call } = fixture({ authenticate }, { auth: ADMIN_KEY });
    expect((await call("getQueue", { headers: bearer("other") })).status).toBe(200);
    expect((await call("receive", { headers: bearer("other") })).status).toBe(403);
    expect((await call("listKeys", { headers: bearer("other") })).status).toBe(403);
    const body = BODIES.createKey;
    expect((await call("createKey", { headers: bearer("other"), body })).status).toBe(403);
  });
});

describe("a face for a role", () => {
  test.each<Role>(["send", "receive", "ack", "admin"])(
    "%s serves its own routes only",
    async (role) => {
      const { call } = fixture({}, { role, openapi: "{}" });
      for (const route of ROUTES) {
        const reply = await call(route.operation, { body: BODIES[route.operation] });
        const isUnknown = reply.status === 404 && reply.fault()[1] === "not-found";
        expect([route.operation, isUnknown]).toEqual([route.operation, route.role !== role]);
      }
    },
  );

  test("a route that nobody has is not found", async () => {
    const { face } = fixture();
    const result = await face({ ...eventOf("health", {}), routeKey: "GET /v2/x" });
    expect(result.statusCode).toBe(404);
  });
});

describe("errors", () => {
  test.each<[Code, number, string | undefined]>([
    ["queue-not-found", 404, undefined],
    ["queue-recently-deleted", 409, undefined],
    ["queue-conflict", 409, undefined],
    ["too-many-leases", 429, "1"],
    ["throttled", 503, "1"],
    ["engine-unavailable", 503, "1"],
    ["outcome-unknown", 503, "1"],
  ])("%s is a problem of status %i", async (code, status, retryAfter) => {
    const getQueue = async () => Promise.reject(new LaneError(code, "why"));
    const { call, logged } = fixture({ getQueue });
    const reply = await call("getQueue");
    expect([reply.status, reply.headers["retry-after"]]).toEqual([status, retryAfter]);
    expect(reply.headers).toMatchObject({
      "content-type": "application/problem+json",
      "x-request-id": "request-1",
    });
    expect(reply.json()).toMatchObject({ status, code, detail: "why" });
    expect(logged).toEqual([]);
  });

  test.each([
    new TypeError("secret place"),
    new LaneError("internal", "secret place", { errors: [{ path: "secret", message: "secret" }] }),
  ])("what is unexpected is logged and not told (%#)", async (error) => {
    const { call, logged } = fixture({ getQueue: async () => Promise.reject(error) });
    const reply = await call("getQueue");
    expect([reply.status, reply.json()["code"]]).toEqual([500, "internal"]);
    expect(reply.text).not.toContain("secret");
    expect(reply.headers["x-request-id"]).toBe("request-1");
    expect(logged).toMatchObject([{ requestId: "request-1", route: "GET /v1/queues/{queue}" }]);
  });

  test.each(ROUTES.filter(({ operation }) => !/^(send|publish|browse|list\w+)$/.test(operation)))(
    "$operation refuses parameters that it does not know",
    async ({ operation }) => {
      const { call, calls } = fixture();
      const reply = await call(operation, { query: { verbose: "1" }, body: BODIES[operation] });
      expect(reply.fault()).toEqual([400, "invalid-request", "query.verbose"]);
      expect(calls).toEqual([]);
    },
  );
});
