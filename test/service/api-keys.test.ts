import { describe, expect, it } from "vitest";
import { epochMs } from "../../src/core/types.ts";
import type { ApiKeyScope } from "../../src/service/api.ts";
import { createWorld } from "./fixture.ts";

const SCOPES: readonly ApiKeyScope[] = [{ actions: ["send", "receive"], queues: "orders-*" }];
const create = async (over: { expiresAt?: number } = {}) => {
  const world = createWorld();
  const service = world.instance();
  const { expiresAt } = over;
  const { key, secret } = await service.createKey({
    name: "ci",
    scopes: SCOPES,
    ...(expiresAt === undefined ? {} : { expiresAt: epochMs(world.now() + expiresAt) }),
  });
  return { world, service, key, secret };
};

describe("an API key", () => {
  it("is known by its secret, with its name and scopes, also by another instance", async () => {
    const { world, key, secret } = await create();
    expect(await world.instance().authenticate(secret)).toEqual(key);
    expect(key).toMatchObject({ name: "ci", scopes: SCOPES, createdAt: world.now() });
  });

  it("N1: is stored as a hash: neither the secret nor its random part stands anywhere", async () => {
    const { world, secret } = await create();
    const random = secret.split("_").slice(2).join("_");
    const stored = JSON.stringify(world.store.items("catalog"), (_, value: unknown) =>
      value instanceof Uint8Array
        ? [Buffer.from(value).toString("hex"), Buffer.from(value).toString("latin1")]
        : value,
    );
    expect(random).toHaveLength(43);
    expect(stored).not.toContain(random);
    expect(stored).not.toContain(Buffer.from(random, "base64url").toString("hex"));
  });

  it("does not open with another's secret, one character changed, or none", async () => {
    const { service, key, secret } = await create();
    const other = await service.createKey({ name: "x", scopes: [] });
    const swapped = `lmq_${key.id}_${other.secret.split("_").slice(2).join("_")}`;
    const changed = secret.slice(0, 20) + (secret[20] === "A" ? "B" : "A") + secret.slice(21);
    for (const text of [
      "",
      "lmq_",
      swapped,
      changed,
      `${secret} `,
      ` ${secret}`,
      secret.slice(0, -1),
      `lmq_${key.id}_`,
      secret.toUpperCase(),
    ])
      expect([text, await service.authenticate(text)]).toEqual([text, undefined]);
  });

  it("N2: that was deleted is unknown here at once, elsewhere within 60 s", async () => {
    const { world, service, key, secret } = await create();
    const other = world.instance();
    for (const one of [service, other]) expect(await one.authenticate(secret)).toBeDefined();
    await service.deleteKey(key.id);
    expect(await service.authenticate(secret)).toBeUndefined();
    await world.advance(59_999);
    expect(await other.authenticate(secret)).toBeDefined();
    await world.advance(1);
    expect(await other.authenticate(secret)).toBeUndefined();
    await expect(service.deleteKey(key.id)).rejects.toMatchObject({ code: "key-not-found" });
  });

  it("N2: that was asked for before it existed is known within 60 s", async () => {
    const { world, secret, key } = await create();
    const item = world.store.items("catalog").find(({ sk }) => sk === key.id);
    if (item === undefined) throw new Error("no item");
    await world.store.delete("catalog", { pk: item.pk, sk: item.sk });
    const other = world.instance();
    expect(await other.authenticate(secret)).toBeUndefined();
    await world.store.put("catalog", item);
    await world.advance(60_000);
    expect(await other.authenticate(secret)).toBeDefined();
  });

  it("ends when it expires, cached or not", async () => {
    const { world, service, secret } = await create({ expiresAt: 10_000 });
    await world.advance(9_999);
    expect(await service.authenticate(secret)).toBeDefined();
    await world.advance(1);
    expect(await service.authenticate(secret)).toBeUndefined();
    expect(await world.instance().authenticate(secret)).toBeUndefined();
  });

  it("is read once for many requests of a minute", async () => {
    const { world, service, secret } = await create();
    world.requests.length = 0;
    for (let index = 0; index < 20; index++) await service.authenticate(secret);
    expect(world.requests).toHaveLength(1);
  });

  it("is listed without its secret, every key once over pages", async () => {
    const { world, service } = await create();
    for (let index = 0; index < 6; index++)
      await service.createKey({ name: `k${index}`, scopes: SCOPES });
    const names: string[] = [];
    let after: string | undefined;
    do {
      const page = await service.listKeys({ limit: 3, ...(after === undefined ? {} : { after }) });
      names.push(...page.keys.map(({ name }) => name));
      expect(page.keys.every((key) => !("secret" in key) && !("hash" in key))).toBe(true);
      after = page.next;
    } while (after !== undefined);
    expect(names.sort()).toEqual(["ci", "k0", "k1", "k2", "k3", "k4", "k5"]);
    expect(world.store.count("catalog")).toBe(7);
  });
});
