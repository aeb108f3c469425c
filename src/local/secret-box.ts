/**
 * Seals secrets on this machine, with AES-256-GCM.
 *
 * B1  The key stands in a file of the data folder that is its owner's alone; one that others can read
 *     is refused. It is whole or not there. Data in memory has a key in memory.
 * B2  Each seal has a random nonce of its own, and the context is authenticated along.
 */
import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from "node:crypto";
import { open, readFile, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import type { SecretBox } from "../service/secret-box.ts";
import { LocalError } from "./local-error.ts";

export interface SecretBoxOptions {
  readonly data?: string;
  readonly dynamodb?: string;
  readonly apiKey?: string;
}

export const KEY_FILE = "access-keys.key";

const KEY_BYTES = 32;
const VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEAD_BYTES = 1 + NONCE_BYTES + TAG_BYTES;

/**
 * Where the data is in a DynamoDB that others may use, too, they share no folder, but the admin key.
 * Without one every caller is let in, and nothing has to be sealed.
 */
export async function openSecretBox(options: SecretBoxOptions): Promise<SecretBox | undefined> {
  const { data, dynamodb, apiKey } = options;
  if (dynamodb !== undefined)
    return apiKey === undefined
      ? undefined
      : aesBox(scryptSync(apiKey, "lanemq access keys", KEY_BYTES));
  return aesBox(data === undefined ? randomBytes(KEY_BYTES) : await keyOf(join(data, KEY_FILE)));
}

const aesBox = (key: Uint8Array): SecretBox => ({
  seal: async (secret, context) => {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(context));
    const sealed = Buffer.concat([cipher.update(secret), cipher.final()]);
    return Buffer.concat([Buffer.of(VERSION), nonce, cipher.getAuthTag(), sealed]);
  },
  open: async (sealed, context) => {
    if (sealed.length < HEAD_BYTES || sealed[0] !== VERSION) return undefined;
    const nonce = sealed.subarray(1, 1 + NONCE_BYTES);
    const cipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES })
      .setAAD(Buffer.from(context))
      .setAuthTag(sealed.subarray(1 + NONCE_BYTES, HEAD_BYTES));
    const secret = cipher.update(sealed.subarray(HEAD_BYTES));
    try {
      return Buffer.concat([secret, cipher.final()]);
    } catch {
      return undefined;
    }
  },
});

/** @throws LocalError */
async function keyOf(file: string): Promise<Uint8Array> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return newKey(file);
  }
  const { mode } = await stat(file);
  if (process.platform !== "win32" && (mode & 0o077) !== 0)
    throw new LocalError(`others can read ${file}: chmod 600 it`);
  const key = Buffer.from(text.trim(), "base64");
  if (key.length !== KEY_BYTES) throw new LocalError(`${file} holds no key`);
  return key;
}

/** Nobody else does the same, for the engine holds the folder. */
async function newKey(file: string): Promise<Uint8Array> {
  const key = randomBytes(KEY_BYTES);
  const draft = await open(`${file}.new`, "w", 0o600);
  try {
    await draft.writeFile(`${key.toString("base64")}\n`);
    await draft.sync();
  } finally {
    await draft.close();
  }
  await rename(`${file}.new`, file);
  return key;
}
