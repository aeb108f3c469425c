/** Hunts secrets that lie about, access keys that outlive their key, and reads and decryptions without end. */
import { describe, expect, it } from "vitest";
import { LaneError } from "../../src/core/errors.ts";
import { epochMs } from "../../src/core/types.ts";
import type { Service } from "../../src/service/api.ts";
import type { SecretBox } from "../../src/service/secret-box.ts";
import { createService } from "../../src/service/service.ts";
import { apiKeyKey } from "../../src/store/keys.ts";
import { createWorld } from "./fixture.ts";

const SCOPES = [{ actions: ["send" as const], queues: "orders-*" }];

/** Not secret, but tied to its context; counts what is opened. */
function createBox() {
  const opened: string[] = [];
  const flipped = (bytes: Uint8Array) => bytes.map((byte) => byte ^ 0xa5);
  const box: SecretBox = {
    seal: async (secret, context) =>
      Buffer.concat([Buffer.from(`${context}:`), Buffer.from(flipped(secret))]),
    open: async (sealed, context) => {
      opened.push(context);
      const head = Buffer.from(`${context}:`);
      return head.equals(sealed.subarray(0, head.length))
        ? flipped(sealed.subarray(head.length))
        : undefined;
    },
  };
  return { box, opened };
}

async function create(over: { expiresAt?: number } = {}) {
  const world = createWorld();
  const { box, opened } = createBox();
  const instance = (): Service => createService({ ...world.deps(), secretBox: box });
  const service = instance();
  const made = await service.createKey({
    name: "ci",
    scopes: SCOPES,
    ...(over.expiresAt === undefined ? {} : { expiresAt: epochMs(world.now() + over.expiresAt) }),
  });
  const { key, secretAccessKey = "" } = made;
  return {
    world,
    instance,
    service,
    opened,
    made,
    key,
    secretAccessKey,
    id: key.accessKeyId ?? "",
  };
}

describe("an access key", () => {
  it("comes with its API key, in the form that AWS's have", async () => {
    const { id, secretAccessKey, service, key } = await create();
    expect(id).toMatch(/^[A-Z0-9]{20}$/);
    expect(secretAccessKey).toMatch(/^[\w-]{40}$/);
    expect(await service.accessKey(id)).toEqual({ key, secretAccessKey });
  });

  it("N3: is known to another instance by its id, which shows it in no list", async () => {
    const { instance, id, secretAccessKey, key } = await create();
    expect(await instance().accessKey(id)).toEqual({ key, secretAccessKey });
    const { keys } = await instance().listKeys({ limit: 10 });
    expect(keys).toEqual([key]);
    expect(JSON.stringify(keys)).not.toContain(secretAccessKey);
  });

  it("N3: is stored sealed, and is no part of the bearer secret", async () => {
    const { world, made, secretAccessKey } = await create();
    const stored = JSON.stringify(world.store.items("catalog"), (_, value: unknown) =>
      value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : value,
    );
    expect(stored).not.toContain(secretAccessKey);
    expect(made.secret).not.toContain(secretAccessKey);
  });

  it("N3: of another key's record does not open", async () => {
    const { world, instance, service, id, key } = await create();
    const other = await service.createKey({ name: "other", scopes: [] });
    const consistent = { consistent: true };
    const foreign = await world.store.get("catalog", apiKeyKey(other.key.id), consistent);
    const own = await world.store.get("catalog", apiKeyKey(key.id), consistent);
    if (own === undefined || foreign?.["sealed"] === undefined) throw new Error("no item");
    await world.store.put("catalog", { ...own, sealed: foreign["sealed"] });
    expect(await instance().accessKey(id)).toBeUndefined();
  });

  it("N2: of a deleted key is unknown here at once, elsewhere within 60 s", async () => {
    const { world, instance, service, key, id } = await create();
    const other = instance();
    for (const one of [service, other]) expect(await one.accessKey(id)).toBeDefined();
    await service.deleteKey(key.id);
    expect(await service.accessKey(id)).toBeUndefined();
    await world.advance(59_999);
    expect(await other.accessKey(id)).toBeDefined();
    await world.advance(1);
    expect(await other.accessKey(id)).toBeUndefined();
  });

  it("ends when its key expires, opened or not", async () => {
    const { world, instance, service, id } = await create({ expiresAt: 10_000 });
    expect(await service.accessKey(id)).toBeDefined();
    await world.advance(10_000);
    expect(await service.accessKey(id)).toBeUndefined();
    expect(await instance().accessKey(id)).toBeUndefined();
  });

  it("N2: costs one read and one opening a minute, in which the answer is one object", async () => {
    const { world, instance, id, opened } = await create();
    const service = instance();
    world.requests.length = 0;
    const first = await service.accessKey(id);
    for (let index = 0; index < 20; index++) expect(await service.accessKey(id)).toBe(first);
    expect([world.requests.length, opened.length]).toEqual([1, 1]);
    await world.advance(60_000);
    await service.accessKey(id);
    expect([world.requests.length, opened.length]).toEqual([2, 2]);
  });

  it("is not opened for callers that bear the secret", async () => {
    const { instance, made, opened } = await create();
    expect(await instance().authenticate(made.secret)).toBeDefined();
    expect(opened).toEqual([]);
  });

  it("of another form, or of no key, is unknown", async () => {
    const { service, id } = await create();
    const unknown = ["", "LANEMQAK", "AKIAIOSFODNN7EXAMPLE", "LANEMQAK000000000000"];
    for (const one of [...unknown, id.toLowerCase(), `${id}0`, ` ${id}`])
      expect([one, await service.accessKey(one)]).toEqual([one, undefined]);
  });
});

it("a key from before there were access keys has none, and goes on as it is", async () => {
  const world = createWorld();
  const { key, secret, secretAccessKey } = await world
    .instance()
    .createKey({ name: "old", scopes: SCOPES });
  expect([key.accessKeyId, secretAccessKey]).toEqual([undefined, undefined]);
  const service = createService({ ...world.deps(), secretBox: createBox().box });
  expect(await service.authenticate(secret)).toEqual(key);
  expect(await service.accessKey(`LANEMQAK${key.id.toUpperCase()}`)).toBeUndefined();
});

it("a box that fails for once fails that call, and is asked again by the next", async () => {
  const { world, id, secretAccessKey } = await create();
  const { box } = createBox();
  let fails = true;
  const open: SecretBox["open"] = async (...args) => {
    if (fails) throw new LaneError("engine-unavailable", "busy");
    return box.open(...args);
  };
  const service = createService({ ...world.deps(), secretBox: { ...box, open } });
  await expect(service.accessKey(id)).rejects.toMatchObject({ code: "engine-unavailable" });
  fails = false;
  expect(await service.accessKey(id)).toMatchObject({ secretAccessKey });
});
