/**
 * API keys: random, shown once, stored hashed.
 *
 * N1  A key is `lmq_<id>_<secret>`; only the SHA-256 of its secret (256 random bits) is stored, and
 *     compared in constant time.
 * N2  What an instance knows of a key, that it is unknown included, is at most 60 s old.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { LaneError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { epochMs } from "../core/types.ts";
import type { EpochMs } from "../core/types.ts";
import { API_KEYS, apiKeyKey } from "../store/keys.ts";
import { absent, exists } from "../store/port.ts";
import type { Item } from "../store/port.ts";
import type { ApiKeyScope, ApiKeyView } from "./api.ts";
import { randomId } from "./deps.ts";
import type { Deps } from "./deps.ts";
import { boundedCache } from "./cache.ts";

const KEY = /^lmq_([a-z0-9]{12})_([\w-]{43})$/;

interface Known {
  readonly key: { readonly view: ApiKeyView; readonly hash: Uint8Array } | undefined;
  readonly readAt: EpochMs;
}

export class ApiKeys {
  readonly #deps: Deps;
  readonly #cache = boundedCache<Known>(2_000);

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  async create(request: {
    name: string;
    scopes: readonly ApiKeyScope[];
    expiresAt?: EpochMs;
  }): Promise<{ key: ApiKeyView; secret: string }> {
    const id = randomId(this.#deps, 12);
    const secret = Buffer.from(this.#deps.randomBytes(32)).toString("base64url");
    const key: ApiKeyView = { id, createdAt: this.#deps.clock.now(), ...request };
    await this.#deps.store.put(
      "catalog",
      {
        ...apiKeyKey(id),
        name: key.name,
        hash: hashOf(secret),
        scopes: JSON.stringify(key.scopes),
        createdAt: key.createdAt,
        ...(key.expiresAt === undefined ? {} : { expiresAt: key.expiresAt }),
      },
      absent("pk"),
    );
    return { key, secret: `lmq_${id}_${secret}` };
  }

  async list(request: {
    limit: number;
    after?: string;
  }): Promise<{ keys: readonly ApiKeyView[]; next?: string }> {
    const page = await this.#deps.store.query("catalog", API_KEYS, {
      ...(request.after === undefined ? {} : { from: `${request.after}\0` }),
      limit: request.limit,
      consistent: true,
    });
    const keys = page.items.map(parseKey);
    const last = keys.at(-1);
    return page.more && last !== undefined ? { keys, next: last.id } : { keys };
  }

  /** Other instances go on taking it for up to 60 s. */
  async delete(id: string): Promise<void> {
    const { ok } = await this.#deps.store.delete("catalog", apiKeyKey(id), exists("hash"));
    this.#cache.delete(id);
    if (!ok) throw new LaneError("key-not-found", `There is no API key "${id}".`);
  }

  async authenticate(presented: string): Promise<ApiKeyView | undefined> {
    const [, id, secret] = KEY.exec(presented) ?? [];
    if (id === undefined || secret === undefined) return undefined;
    const { key } = await this.#know(id);
    if (key === undefined || !timingSafeEqual(key.hash, hashOf(secret))) return undefined;
    return key.view.expiresAt !== undefined && key.view.expiresAt <= this.#deps.clock.now()
      ? undefined
      : key.view;
  }

  async #know(id: string): Promise<Known> {
    const now = this.#deps.clock.now();
    const cached = this.#cache.get(id);
    if (cached !== undefined && now >= cached.readAt && now - cached.readAt < LIMITS.keyCachedMs)
      return cached;
    const item = await this.#deps.store.get("catalog", apiKeyKey(id), { consistent: true });
    const known: Known = {
      key:
        item === undefined ? undefined : { view: parseKey(item), hash: item["hash"] as Uint8Array },
      readAt: now,
    };
    this.#cache.set(id, known);
    return known;
  }
}

const hashOf = (secret: string): Uint8Array => createHash("sha256").update(secret).digest();

const parseKey = (item: Item): ApiKeyView => ({
  id: item.sk,
  name: item["name"] as string,
  scopes: JSON.parse(item["scopes"] as string) as ApiKeyScope[],
  createdAt: epochMs(item["createdAt"] as number),
  ...(item["expiresAt"] === undefined ? {} : { expiresAt: epochMs(item["expiresAt"] as number) }),
});
