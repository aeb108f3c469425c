/** A key management service with one key, as far as secrets need it: Encrypt and Decrypt over HTTP. */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";

interface KmsRequest {
  readonly KeyId?: string;
  readonly Plaintext?: string;
  readonly CiphertextBlob?: string;
  readonly EncryptionContext?: Readonly<Record<string, string>>;
}

interface Refusal {
  readonly status: number;
  readonly type: string;
}

export interface Kms {
  readonly endpoint: string;
  readonly keyId: string;
  /** What was asked, in order. */
  readonly asked: string[];
  /** Refuses what comes next, until it is taken back. */
  refuse(refusal: Refusal | undefined): void;
  close(): Promise<void>;
}

const KEY_ID = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555";

export async function startKms(): Promise<Kms> {
  const key = randomBytes(32);
  const asked: string[] = [];
  let refusal: Refusal | undefined;
  const server = createServer((request, response) => {
    void json(request).then((body) => {
      const action = String(request.headers["x-amz-target"]).replace("TrentService.", "");
      asked.push(action);
      const answer = refusal ?? answerTo(action, body as KmsRequest, key);
      const refused = "type" in answer;
      response.writeHead(refused ? (answer as Refusal).status : 200, {
        "content-type": "application/x-amz-json-1.1",
      });
      response.end(JSON.stringify(refused ? { __type: answer.type, message: "no" } : answer));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    keyId: KEY_ID,
    asked,
    refuse: (next) => {
      refusal = next;
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function answerTo(action: string, request: KmsRequest, key: Buffer): object {
  if (request.KeyId !== KEY_ID) return { status: 400, type: "NotFoundException" };
  const context = Buffer.from(JSON.stringify(request.EncryptionContext ?? {}));
  if (action === "Encrypt") {
    const nonce = randomBytes(12);
    const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(context);
    const sealed = cipher.update(Buffer.from(request.Plaintext ?? "", "base64"));
    const parts = [sealed, cipher.final()];
    const blob = Buffer.concat([nonce, ...parts, cipher.getAuthTag()]);
    return { KeyId: KEY_ID, CiphertextBlob: blob.toString("base64") };
  }
  const blob = Buffer.from(request.CiphertextBlob ?? "", "base64");
  try {
    const cipher = createDecipheriv("aes-256-gcm", key, blob.subarray(0, 12))
      .setAAD(context)
      .setAuthTag(blob.subarray(-16));
    const opened = Buffer.concat([cipher.update(blob.subarray(12, -16)), cipher.final()]);
    return { KeyId: KEY_ID, Plaintext: opened.toString("base64") };
  } catch {
    return { status: 400, type: "InvalidCiphertextException" };
  }
}
