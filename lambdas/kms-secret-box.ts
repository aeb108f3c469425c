/**
 * Seals secrets with a key of AWS's Key Management Service. The functions' policies say which of them
 * may seal and which may open.
 */
import {
  DecryptCommand,
  EncryptCommand,
  IncorrectKeyException,
  InvalidCiphertextException,
  KMSClient,
} from "@aws-sdk/client-kms";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { LaneError } from "../src/core/errors.ts";
import type { SecretBox } from "../src/service/secret-box.ts";

const REQUEST_TIMEOUT_MS = 3_000;
const CONNECTION_TIMEOUT_MS = 1_500;

/** `undefined`: the deployment has no SQS face, and so no key. */
export function secretBoxOfEnvironment(): SecretBox | undefined {
  const keyId = process.env["LANEMQ_KMS_KEY"];
  if (keyId === undefined || keyId === "") return undefined;
  const requestHandler = new NodeHttpHandler({
    requestTimeout: REQUEST_TIMEOUT_MS,
    throwOnRequestTimeout: true,
    connectionTimeout: CONNECTION_TIMEOUT_MS,
  });
  return kmsSecretBox(new KMSClient({ requestHandler }), keyId);
}

export function kmsSecretBox(client: KMSClient, keyId: string): SecretBox {
  const contextOf = (context: string) => ({ "lanemq:key": context });
  return {
    async seal(secret, context) {
      const command = new EncryptCommand({
        KeyId: keyId,
        Plaintext: secret,
        EncryptionContext: contextOf(context),
      });
      const { CiphertextBlob } = await client.send(command).catch(explain);
      if (CiphertextBlob === undefined) throw new Error("KMS answered without a ciphertext.");
      return CiphertextBlob;
    },
    async open(sealed, context) {
      const command = new DecryptCommand({
        KeyId: keyId,
        CiphertextBlob: sealed,
        EncryptionContext: contextOf(context),
      });
      try {
        const { Plaintext } = await client.send(command);
        return Plaintext;
      } catch (error) {
        const isForeign =
          error instanceof InvalidCiphertextException || error instanceof IncorrectKeyException;
        return isForeign ? undefined : explain(error);
      }
    },
  };
}

/** What passes by itself is told to the caller so; what has to be mended (a policy, a key that is off) is logged. */
function explain(error: unknown): never {
  const { name, $fault } = error as { readonly name?: string; readonly $fault?: string };
  if ($fault === "server" || name === "ThrottlingException" || name === "TimeoutError")
    throw new LaneError("engine-unavailable", "The key management service did not answer.", {
      cause: error,
    });
  throw error;
}
