/** Hunts secrets that open where they should not, and faults of KMS that look like unknown keys. */
import { KMSClient } from "@aws-sdk/client-kms";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { kmsSecretBox, secretBoxOfEnvironment } from "../../lambdas/kms-secret-box.ts";
import { LaneError } from "../../src/core/errors.ts";
import type { SecretBox } from "../../src/service/secret-box.ts";
import { type Kms, startKms } from "../engines/kms.ts";

const SECRET = Buffer.from("a secret");

let kms: Kms;
let client: KMSClient;
let box: SecretBox;

beforeAll(async () => {
  kms = await startKms();
  client = new KMSClient({
    endpoint: kms.endpoint,
    region: "eu-west-1",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
    maxAttempts: 1,
  });
  box = kmsSecretBox(client, kms.keyId);
});
beforeEach(() => kms.refuse(undefined));
afterAll(async () => {
  client.destroy();
  await kms.close();
});

describe("a secret in KMS", () => {
  it("is sealed and opened by one call each, under its context", async () => {
    kms.asked.length = 0;
    const sealed = await box.seal(SECRET, "k1");
    expect(Buffer.from(sealed).includes(SECRET)).toBe(false);
    expect(Buffer.from((await box.open(sealed, "k1")) ?? [])).toEqual(SECRET);
    expect(kms.asked).toEqual(["Encrypt", "Decrypt"]);
  });

  it("is unknown under another context, and when it was changed", async () => {
    const sealed = await box.seal(SECRET, "k1");
    expect(await box.open(sealed, "k2")).toBeUndefined();
    const changed = Uint8Array.from(sealed, (byte, at) => (at === 14 ? byte ^ 1 : byte));
    expect(await box.open(changed, "k1")).toBeUndefined();
  });

  it("is unknown when it was sealed under another key", async () => {
    const sealed = await box.seal(SECRET, "k1");
    kms.refuse({ status: 400, type: "IncorrectKeyException" });
    expect(await box.open(sealed, "k1")).toBeUndefined();
  });

  it.each([
    { status: 500, type: "KMSInternalException" },
    { status: 400, type: "ThrottlingException" },
  ])("says that one may try again after $type", async (refusal) => {
    kms.refuse(refusal);
    await expect(box.open(SECRET, "k1")).rejects.toMatchObject({ code: "engine-unavailable" });
    await expect(box.seal(SECRET, "k1")).rejects.toMatchObject({ code: "engine-unavailable" });
  });

  it.each([
    { status: 400, type: "AccessDeniedException" },
    { status: 400, type: "DisabledException" },
  ])("fails with $type, which somebody has to mend", async (refusal) => {
    kms.refuse(refusal);
    const failed = await box.open(SECRET, "k1").catch((error: unknown) => error);
    expect(failed).toMatchObject({ name: refusal.type, $metadata: {} });
    expect(failed).not.toBeInstanceOf(LaneError);
  });
});

it("a deployment that names no key has no box", () => {
  expect(secretBoxOfEnvironment()).toBeUndefined();
});
