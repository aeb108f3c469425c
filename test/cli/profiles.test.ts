/** Hunts: keys that others can read, and keys that go to a service that they are not for. */
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import {
  connectionOf,
  EMBEDDED,
  profilesFile,
  readProfiles,
  writeProfiles,
} from "../../src/cli/profiles.ts";

const folder = mkdtempSync(join(tmpdir(), "lanemq-profiles-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const posix = test.skipIf(process.platform === "win32");

const file = join(folder, "sub", "profiles.json");
const env = { LANEMQ_PROFILES: file };
writeProfiles(file, {
  default: { endpoint: "http://default.example", apiKey: "default-key" },
  prod: { endpoint: "https://prod.example", apiKey: "prod-key" },
});

describe("the service", () => {
  test.each([
    ["is the default profile's", {}, {}, "http://default.example", "default-key"],
    ["is the profile's that is named", { profile: "prod" }, {}, "https://prod.example", "prod-key"],
    ["… in the environment", {}, { LANEMQ_PROFILE: "prod" }, "https://prod.example", "prod-key"],
    [
      "is the environment's",
      {},
      { LANEMQ_ENDPOINT: "http://e.example" },
      "http://e.example",
      undefined,
    ],
    [
      "is the flag's before all",
      { endpoint: "http://f.example" },
      { LANEMQ_ENDPOINT: "http://e.example", LANEMQ_API_KEY: "env-key" },
      "http://f.example",
      "env-key",
    ],
    [
      "is a named profile's before the environment's",
      { profile: "prod" },
      { LANEMQ_ENDPOINT: "http://e.example" },
      "https://prod.example",
      "prod-key",
    ],
    [
      "gets the key that was given",
      { profile: "prod", apiKey: "k" },
      {},
      "https://prod.example",
      "k",
    ],
  ])("%s", (_what, flags, more, endpoint, apiKey) => {
    const connection = connectionOf(flags, { ...env, ...more });
    expect(connection).toEqual(apiKey === undefined ? { endpoint } : { endpoint, apiKey });
  });

  test("without any is the embedded one", () => {
    expect(connectionOf({}, { LANEMQ_PROFILES: join(folder, "none") })).toEqual({
      endpoint: EMBEDDED,
    });
  });

  test("that is not known is refused", () => {
    expect(() => connectionOf({ profile: "nope" }, env)).toThrow('no profile "nope"');
    expect(() => connectionOf({ endpoint: "ftp://x" }, env)).toThrow("not the URL of a service");
    expect(() => connectionOf({ endpoint: "http://x", profile: "prod" }, env)).toThrow("give one");
  });
});

describe("the file", () => {
  posix("is made for its owner alone, and refused when others can read it", () => {
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, "sub")).mode & 0o777).toBe(0o700);
    const open = join(folder, "open.json");
    writeFileSync(open, "{}");
    for (const mode of [0o640, 0o604, 0o660]) {
      chmodSync(open, mode);
      expect(() => readProfiles(open)).toThrow("chmod 600");
    }
  });

  test("that is damaged is refused without a word of what stands in it", () => {
    const broken = join(folder, "broken.json");
    for (const text of [
      '{"a": "secret-key',
      '{"a": {"endpoint": "secret-key"}}',
      '["secret-key"]',
    ]) {
      writeFileSync(broken, text, { mode: 0o600 });
      expect(() => readProfiles(broken)).toThrow(/broken\.json is not/);
      expect(() => readProfiles(broken)).not.toThrow("secret-key");
    }
  });

  test("stands where the system keeps such files", () => {
    expect(profilesFile({ XDG_CONFIG_HOME: "/x" })).toBe(join("/x", "lanemq", "profiles.json"));
  });
});
