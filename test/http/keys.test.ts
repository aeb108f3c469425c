/** Hunts for secrets in answers, and for scopes that are taken though they are not valid. */
import { describe, expect, test } from "vitest";
import type { ApiKeyView } from "../../src/service/api.ts";
import { fixture, NOW } from "./face-fixture.ts";

describe("keys", () => {
  const SCOPES = [{ actions: ["send", "receive"], queues: "orders-*" }];

  test("the secret stands in the answer to creating one, and nowhere else", async () => {
    const key: ApiKeyView = {
      id: "k1",
      name: "k",
      scopes: [{ actions: ["send"], queues: "*" }],
      createdAt: NOW,
      expiresAt: NOW,
      accessKeyId: "LANEMQAK1",
    };
    const { call, calls } = fixture({
      createKey: async () => ({ key, secret: "lane_x", secretAccessKey: "access_x" }),
      listKeys: async () => ({
        keys: [{ ...key, hash: "h", sealed: "s" } as ApiKeyView],
        next: "k1",
      }),
    });
    const body = { name: "n", scopes: SCOPES, expiresAt: "2030-01-01T01:00:00+01:00" };
    const created = await call("createKey", { body });
    expect(created.status).toBe(201);
    expect(created.json()).toMatchObject({
      id: "k1",
      secret: "lane_x",
      accessKeyId: "LANEMQAK1",
      secretAccessKey: "access_x",
      expiresAt: "2026-01-02T03:04:05.006Z",
    });
    expect(calls[0]?.args[0]).toEqual({
      name: "n",
      scopes: SCOPES,
      expiresAt: Date.UTC(2030, 0, 1),
    });
    const listed = await call("listKeys", {});
    expect(listed.text).not.toMatch(/secret|hash|sealed/);
    expect(listed.text).toContain("LANEMQAK1");
    await call("listKeys", { query: { cursor: String(listed.json()["cursor"]), limit: "7" } });
    expect(calls.at(-1)?.args[0]).toEqual({ limit: 7, after: "k1" });
    expect((await call("deleteKey", { id: "k1" })).status).toBe(204);
    expect(calls.at(-1)).toEqual({ method: "deleteKey", args: ["k1"] });
  });

  test.each([
    [{ scopes: SCOPES }, "name"],
    [{ name: "", scopes: SCOPES }, "name"],
    [{ name: "x".repeat(129), scopes: SCOPES }, "name"],
    [{ name: "n" }, "scopes"],
    [{ name: "n", scopes: [] }, "scopes"],
    [{ name: "n", scopes: Array.from({ length: 21 }, () => SCOPES[0]) }, "scopes"],
    [{ name: "n", scopes: [{ actions: [], queues: "*" }] }, "scopes[0].actions"],
    [{ name: "n", scopes: [{ actions: ["admin"], queues: "*" }] }, "scopes[0].actions[0]"],
    [{ name: "n", scopes: [{ actions: ["send"], queues: "" }] }, "scopes[0].queues"],
    [{ name: "n", scopes: [{ actions: ["send"], queues: "a[b]" }] }, "scopes[0].queues"],
    [{ name: "n", scopes: [{ actions: ["send"] }] }, "scopes[0]"],
    [{ name: "n", scopes: [{ actions: ["send"], exchanges: "a b" }] }, "scopes[0].exchanges"],
    [{ name: "n", scopes: SCOPES, expiresAt: 5 }, "expiresAt"],
    [{ name: "n", scopes: SCOPES, expiresAt: "2030-01-01" }, "expiresAt"],
    [{ name: "n", scopes: SCOPES, expiresAt: "2030-02-30T00:00:00Z" }, "expiresAt"],
    [{ name: "n", scopes: SCOPES, expiresAt: "2030-13-01T00:00:00Z" }, "expiresAt"],
    [{ name: "n", scopes: SCOPES, admin: true }, "admin"],
  ])("%j is refused", async (body, path) => {
    const { call, calls } = fixture();
    expect((await call("createKey", { body })).fault()).toEqual([400, "invalid-request", path]);
    expect(calls).toEqual([]);
  });
});
