/** Requests signed as AWS's own SDK signs them, as API Gateway then hands them on. */
import { SignatureV4 } from "@smithy/signature-v4";
import type { APIGatewayProxyEventV2 } from "aws-lambda";
import { createHash, createHmac } from "node:crypto";
import { requestOf } from "./requests.ts";

export interface Wish {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly query: Readonly<Record<string, string | string[]>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export const jsonWish = (action: string, input: object): Wish => ({
  method: "POST",
  path: "/",
  query: {},
  headers: {
    "content-type": "application/x-amz-json-1.0",
    "x-amz-target": `AmazonSQS.${action}`,
  },
  body: Buffer.from(JSON.stringify(input)),
});

export interface Signing {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly region: string;
  readonly service: string;
  readonly at: Date;
  /** Presigned, for so many seconds. */
  readonly expires?: number;
}

export interface Signed {
  readonly event: APIGatewayProxyEventV2;
  readonly body: Uint8Array;
}

const HOST = "lanes.example.com";

export interface Manner {
  readonly host?: string;
  /** Spaces of the query go as `+`, as many HTTP clients send them. */
  readonly plus?: boolean;
}

export async function signed(wish: Wish, signing: Signing, manner: Manner = {}): Promise<Signed> {
  const { host = HOST, plus = false } = manner;
  const { region, service, at, expires, ...credentials } = signing;
  const signer = new SignatureV4({ credentials, region, service, sha256: Sha256 });
  const { method, path, body } = wish;
  const request = {
    method,
    protocol: "https:",
    hostname: host,
    path,
    query: structuredClone(wish.query) as Record<string, string | string[]>,
    headers: { ...wish.headers, host },
    body,
  };
  const options = { signingDate: at };
  const done =
    expires === undefined
      ? await signer.sign(request, options)
      : await signer.presign(request, { ...options, expiresIn: expires });
  const pairs = Object.entries(done.query ?? {}).flatMap(([name, values]) =>
    [values ?? ""].flat().map((value): [string, string] => [name, value]),
  );
  const query = plus
    ? new URLSearchParams(pairs).toString()
    : pairs.map((pair) => pair.map(encodeURIComponent).join("=")).join("&");
  const event = requestOf({ method, path, query, headers: lowerCased(done.headers) });
  const payload = { body: Buffer.from(body).toString("base64"), isBase64Encoded: true };
  return { event: body.length === 0 ? event : { ...event, ...payload }, body };
}

const lowerCased = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

class Sha256 {
  readonly #hash;

  constructor(key?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash =
      key === undefined ? createHash("sha256") : createHmac("sha256", key as string | Uint8Array);
  }

  update(data: Uint8Array | string): void {
    this.#hash.update(data);
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {}
}
