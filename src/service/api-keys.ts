/**
 * API keys: random, shown once, stored hashed; and their access keys, which sign requests.
 *
 * N1  A key is `lmq_<id>_<secret>`; only the SHA-256 of its secret (256 random bits) is stored, and
 *     compared in constant time.
 * N2  What an instance knows of a key, that it is unknown and an opened secret included, is at most
 *     60 s old.
 * N3  Verifying a signature takes the secret itself, so an access key has one of its own (240 random
 *     bits), stored sealed under the key's id. Its id follows from the key's: a look-up is one read.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { LaneError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { epochMs } from "../core/types.ts";
import type { EpochMs } from "../core/types.ts";
import { API_KEYS, apiKeyKey } from "../store/keys.ts";
import { absent, exists } from "../store/port.ts";
import type { Item } from "../store/port.ts";
import type { AccessKey, ApiKeyScope, ApiKeyView, CreatedKey } from "./api.ts";
import { randomId } from "./deps.ts";
import type { Deps } from "./deps.ts";
import { boundedCache } from "./cache.ts";

const KEY = /^lmq_([a-z0-9]{12})_([\w-]{43})$/;
/** 20 capitals and digits in all, as AWS's are. */
const ACCESS_KEY_PREFIX = "LANEMQAK";
const ACCESS_KEY = new RegExp(`^${ACCESS_KEY_PREFIX}([A-Z0-9]{12})$`);
/** 40 characters, as AWS's are, and none that a URL would have to encode. */
const SECRET_ACCESS_KEY_BYTES = 30;

interface StoredKey {
  readonly view: ApiKeyView;
  readonly hash: Uint8Array;
  readonly sealed: Uint8Array | undefined;
}

interface Known {
  readonly key: StoredKey | undefined;
  readonly readAt: EpochMs;
  /** N3, once it was asked for. */
  accessKey?: Promise<AccessKey | undefined>;
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
  }): Promise<CreatedKey> {
    const id = randomId(this.#deps, 12);
    const secret = this.#random(32);
    const access = await this.#newAccessKey(id);
    const key: ApiKeyView = {
      id,
      createdAt: this.#deps.clock.now(),
      ...request,
      ...(access === undefined ? {} : { accessKeyId: accessKeyIdOf(id) }),
    };
    await this.#deps.store.put(
      "catalog",
      {
        ...apiKeyKey(id),
        name: key.name,
        hash: hashOf(secret),
        scopes: JSON.stringify(key.scopes),
        createdAt: key.createdAt,
        ...(key.expiresAt === undefined ? {} : { expiresAt: key.expiresAt }),
        ...(access === undefined ? {} : { sealed: access.sealed }),
      },
      absent("pk"),
    );
    return {
      key,
      secret: `lmq_${id}_${secret}`,
      ...(access === undefined ? {} : { secretAccessKey: access.secretAccessKey }),
    };
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
    return this.#hasExpired(key.view) ? undefined : key.view;
  }

  async accessKey(accessKeyId: string): Promise<AccessKey | undefined> {
    const id = ACCESS_KEY.exec(accessKeyId)?.[1]?.toLowerCase();
    if (id === undefined) return undefined;
    const known = await this.#know(id);
    if (known.key === undefined || this.#hasExpired(known.key.view)) return undefined;
    known.accessKey ??= this.#opened(known.key);
    try {
      return await known.accessKey;
    } catch (error) {
      delete known.accessKey;
      throw error;
    }
  }

  async #newAccessKey(
    id: string,
  ): Promise<{ secretAccessKey: string; sealed: Uint8Array } | undefined> {
    const { secretBox } = this.#deps;
    if (secretBox === undefined) return undefined;
    const secretAccessKey = this.#random(SECRET_ACCESS_KEY_BYTES);
    return {
      secretAccessKey,
      sealed: await secretBox.seal(Buffer.from(secretAccessKey), id),
    };
  }

  async #opened({ view, sealed }: StoredKey): Promise<AccessKey | undefined> {
    if (sealed === undefined) return undefined;
    const secret = await this.#deps.secretBox?.open(sealed, view.id);
    return secret && { key: view, secretAccessKey: Buffer.from(secret).toString() };
  }

  #hasExpired({ expiresAt }: ApiKeyView): boolean {
    return expiresAt !== undefined && expiresAt <= this.#deps.clock.now();
  }

  #random(bytes: number): string {
    return Buffer.from(this.#deps.randomBytes(bytes)).toString("base64url");
  }

  async #know(id: string): Promise<Known> {
    const now = this.#deps.clock.now();
    const cached = this.#cache.get(id);
    if (cached !== undefined && now >= cached.readAt && now - cached.readAt < LIMITS.keyCachedMs)
      return cached;
    const item = await this.#deps.store.get("catalog", apiKeyKey(id), { consistent: true });
    const known: Known = {
      key:
        item === undefined
          ? undefined
          : {
              view: parseKey(item),
              hash: item["hash"] as Uint8Array,
              sealed: item["sealed"] as Uint8Array | undefined,
            },
      readAt: now,
    };
    this.#cache.set(id, known);
    return known;
  }
}

const hashOf = (secret: string): Uint8Array => createHash("sha256").update(secret).digest();

const accessKeyIdOf = (id: string): string => `${ACCESS_KEY_PREFIX}${id.toUpperCase()}`;

const parseKey = (item: Item): ApiKeyView => ({
  id: item.sk,
  name: item["name"] as string,
  scopes: JSON.parse(item["scopes"] as string) as ApiKeyScope[],
  createdAt: epochMs(item["createdAt"] as number),
  ...(item["expiresAt"] === undefined ? {} : { expiresAt: epochMs(item["expiresAt"] as number) }),
  ...(item["sealed"] === undefined ? {} : { accessKeyId: accessKeyIdOf(item.sk) }),
});
