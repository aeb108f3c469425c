/** `fetch` whose requests are signed with AWS credentials, for the routes that IAM authorises. */
import { createHash, createHmac } from "node:crypto";
import { defaultProvider } from "@aws-sdk/credential-provider-node";
import { SignatureV4 } from "@smithy/signature-v4";
import { UsageError } from "./usage-error.ts";

/** @throws UsageError when it cannot tell the region */
export async function awsFetch(endpoint: string): Promise<typeof fetch> {
  const { host, hostname } = new URL(endpoint);
  const region =
    /\.execute-api\.([a-z0-9-]+)\.amazonaws\./.exec(hostname)?.[1] ??
    process.env["AWS_REGION"] ??
    process.env["AWS_DEFAULT_REGION"];
  if (region === undefined) throw new UsageError("--aws needs a region: set AWS_REGION");
  const signer = new SignatureV4({
    service: "execute-api",
    region,
    credentials: defaultProvider(),
    sha256: Sha256,
  });
  return async (input, init = {}) => {
    const { pathname, searchParams, protocol } = new URL(
      input instanceof Request ? input.url : input,
    );
    // The signature takes the place of a key.
    const { authorization: _, ...headers } = init.headers as Record<string, string>;
    const signed = await signer.sign({
      method: init.method ?? "GET",
      protocol,
      hostname,
      path: pathname,
      query: Object.fromEntries(searchParams),
      headers: { ...headers, host },
      body: init.body,
    });
    return fetch(input, { ...init, headers: signed.headers });
  };
}

/** SHA-256, keyed or not, in the form that the signer asks for. */
class Sha256 {
  readonly #key: string | ArrayBuffer | ArrayBufferView | undefined;
  #chunks: Uint8Array[] = [];

  constructor(key?: string | ArrayBuffer | ArrayBufferView) {
    this.#key = key;
  }

  update(data: Uint8Array | string): void {
    this.#chunks.push(typeof data === "string" ? Buffer.from(data) : data);
  }

  async digest(): Promise<Uint8Array> {
    const data = Buffer.concat(this.#chunks);
    if (this.#key === undefined) return createHash("sha256").update(data).digest();
    return createHmac("sha256", bytesOf(this.#key)).update(data).digest();
  }

  reset(): void {
    this.#chunks = [];
  }
}

function bytesOf(key: string | ArrayBuffer | ArrayBufferView): Uint8Array {
  if (typeof key === "string") return Buffer.from(key);
  return ArrayBuffer.isView(key)
    ? new Uint8Array(key.buffer, key.byteOffset, key.byteLength)
    : new Uint8Array(key);
}
