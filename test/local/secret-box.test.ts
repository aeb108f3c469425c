/** Hunts a key file that others can read, one that is half there, and seals that open elsewhere. */
import { chmod, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { KEY_FILE, openSecretBox } from "../../src/local/secret-box.ts";
import type { SecretBoxOptions } from "../../src/local/secret-box.ts";
import { dataFolder } from "./data-folder.ts";

const SECRET = Buffer.from("a secret of forty characters, or so it is");

async function boxOf(options: SecretBoxOptions) {
  const box = await openSecretBox(options);
  if (box === undefined) throw new Error("no box");
  return box;
}

describe("what is sealed", () => {
  it("B2: opens under its context, and is another one each time", async () => {
    const box = await boxOf({});
    const [one, two] = [await box.seal(SECRET, "k1"), await box.seal(SECRET, "k1")];
    expect(Buffer.from(one).includes(SECRET)).toBe(false);
    expect(Buffer.from(one).equals(two)).toBe(false);
    for (const sealed of [one, two]) expect(await box.open(sealed, "k1")).toEqual(SECRET);
  });

  it("B2: does not open under another context, with any byte changed, cut short, or elsewhere", async () => {
    const box = await boxOf({});
    const sealed = await box.seal(SECRET, "k1");
    expect(await box.open(sealed, "k2")).toBeUndefined();
    for (let at = 0; at < sealed.length; at++) {
      const changed = Uint8Array.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect([at, await box.open(changed, "k1")]).toEqual([at, undefined]);
      expect([at, await box.open(sealed.subarray(0, at), "k1")]).toEqual([at, undefined]);
    }
    expect(await (await boxOf({})).open(sealed, "k1")).toBeUndefined();
  });
});

describe("the key", () => {
  it("B1: of a data folder is its owner's alone, and the same after a restart", async () => {
    const data = await dataFolder();
    const sealed = await (await boxOf({ data })).seal(SECRET, "k1");
    expect((await stat(join(data, KEY_FILE))).mode & 0o777).toBe(0o600);
    expect(await (await boxOf({ data })).open(sealed, "k1")).toEqual(SECRET);
  });

  it.skipIf(process.platform === "win32")("B1: that others can read is refused", async () => {
    const data = await dataFolder();
    await boxOf({ data });
    await chmod(join(data, KEY_FILE), 0o640);
    await expect(openSecretBox({ data })).rejects.toThrow(/others can read .*chmod 600/);
  });

  it("B1: that is cut short is refused, and not replaced", async () => {
    const data = await dataFolder();
    await boxOf({ data });
    const file = join(data, KEY_FILE);
    const text = (await readFile(file, "utf8")).slice(0, 20);
    await writeFile(file, text);
    await expect(openSecretBox({ data })).rejects.toThrow(/holds no key/);
    expect(await readFile(file, "utf8")).toBe(text);
  });

  it("of another endpoint follows from the admin key; without one there is none", async () => {
    const dynamodb = "http://127.0.0.1:8000";
    const sealed = await (await boxOf({ dynamodb, apiKey: "one" })).seal(SECRET, "k1");
    expect(await (await boxOf({ dynamodb, apiKey: "one" })).open(sealed, "k1")).toEqual(SECRET);
    expect(await (await boxOf({ dynamodb, apiKey: "two" })).open(sealed, "k1")).toBeUndefined();
    expect(await openSecretBox({ dynamodb })).toBeUndefined();
  });
});
