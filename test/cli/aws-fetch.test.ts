/**
 * `keys --aws`, judged by another implementation of Signature Version 4 than the one that signs. Hunts:
 * a request that API Gateway would refuse, and credentials or keys that go where they should not.
 */
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { awsFetch } from "../../src/cli/aws-fetch.ts";
import { createProgram } from "../../src/cli/program.ts";
import { signatureOf, stringToSign } from "../../src/sqs/sigv4.ts";

const SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const TOKEN = "a session's token/+==";

interface Asked {
  readonly request: IncomingMessage;
  readonly body: string;
}

const asked: Asked[] = [];
const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    asked.push({ request, body: Buffer.concat(chunks).toString() });
    const more = request.url?.includes("cursor") === true ? {} : { cursor: "a b/+=&" };
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ id: "k1", secret: "s", keys: [], ...more }));
  });
});
beforeAll(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
afterAll(() => {
  server.close();
  server.closeAllConnections();
});
beforeEach(() => {
  asked.length = 0;
  vi.stubEnv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", SECRET);
  vi.stubEnv("AWS_SESSION_TOKEN", TOKEN);
  vi.stubEnv("AWS_REGION", "eu-west-1");
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
});

async function run(...command: string[]): Promise<string> {
  const address = server.address();
  const port = typeof address === "object" ? address?.port : 0;
  let text = "";
  const stdout = { write: (some: string) => (text += some), isTTY: false };
  const surroundings = {
    env: {
      LANEMQ_ENDPOINT: `http://127.0.0.1:${port}`,
      LANEMQ_API_KEY: "bearer-secret",
      LANEMQ_PROFILES: "/nowhere",
    },
    stdin: Readable.from([]) as NodeJS.ReadStream,
    stdout: stdout as unknown as NodeJS.WriteStream,
    stderr: stdout as unknown as NodeJS.WriteStream,
  };
  await createProgram(surroundings, "0.0.0").parseAsync(command, { from: "user" });
  return text;
}

/** As API Gateway makes it of what arrived. */
function expectedSignature({ request, body }: Asked): string {
  const { authorization = "", "x-amz-date": time } = request.headers;
  const [, date = "", region = "", service = ""] =
    /Credential=AKIDEXAMPLE\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request/.exec(authorization) ?? [];
  const signedHeaders = /SignedHeaders=([^,]+)/.exec(authorization)?.[1]?.split(";") ?? [];
  const url = new URL(request.url ?? "", "http://none");
  const query = [...url.searchParams]
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .toSorted()
    .join("&");
  const canonical = [
    request.method,
    url.pathname,
    query,
    ...signedHeaders.map((name) => `${name}:${String(request.headers[name]).trim()}`),
    "",
    signedHeaders.join(";"),
    createHash("sha256").update(body).digest("hex"),
  ].join("\n");
  const signing = { time: String(time), date, region, service, signedHeaders };
  return signatureOf({ secretAccessKey: SECRET }, signing, stringToSign(signing, canonical));
}

describe("keys --aws", () => {
  test.each([
    ["POST", ["keys", "create", "shop", "--allow", "send", "--queues", "orders-*", "--aws"]],
    ["GET", ["keys", "list", "--aws"]],
    ["DELETE", ["keys", "delete", "k1", "--aws"]],
  ])("%s is signed for execute-api, the body and the token with it", async (method, command) => {
    await run(...command);
    expect(asked.length).toBeGreaterThan(0);
    for (const one of asked) {
      const { authorization = "", ...headers } = one.request.headers;
      expect(one.request.method).toBe(method);
      expect(authorization).toContain("/eu-west-1/execute-api/aws4_request");
      expect(authorization).toMatch(/SignedHeaders=[^,]*\bhost\b/);
      expect(headers["x-amz-security-token"]).toBe(TOKEN);
      expect(/Signature=(\w+)/.exec(authorization)?.[1]).toBe(expectedSignature(one));
    }
  });

  test("reads all pages, and the cursor is signed as it is sent", async () => {
    await run("keys", "list", "--aws");
    expect(asked.map(({ request }) => request.url)).toEqual([
      "/v1/keys",
      `/v1/keys?cursor=${encodeURIComponent("a b/+=&")}`,
    ]);
  });

  test("sends no API key, and prints no credentials", async () => {
    const printed = await run("keys", "create", "shop", "--allow", "send", "--aws");
    const sent = asked.map(({ request }) => JSON.stringify(request.rawHeaders)).join("");
    expect(sent).not.toContain("bearer-secret");
    expect(sent).not.toContain(SECRET);
    for (const secret of [SECRET, TOKEN, "bearer-secret"]) expect(printed).not.toContain(secret);
  });

  test("without it the key is sent, and nothing is signed", async () => {
    await run("keys", "list");
    expect(asked[0]?.request.headers.authorization).toBe("Bearer bearer-secret");
  });
});

describe("the region", () => {
  const signedFor = async (endpoint: string): Promise<string> => {
    let headers: Record<string, string> = {};
    vi.stubGlobal("fetch", async (_input: unknown, init: RequestInit) => {
      headers = init.headers as Record<string, string>;
      return new Response("{}");
    });
    const signing = await awsFetch(endpoint);
    await signing(`${endpoint}/v1/keys`, { headers: {} });
    return headers["authorization"] ?? "";
  };

  test("is that of the endpoint, whatever the environment says", async () => {
    const endpoint = "https://a1b2.execute-api.ap-south-1.amazonaws.com";
    expect(await signedFor(endpoint)).toContain("/ap-south-1/execute-api/");
  });

  test("of a domain name of one's own is the environment's", async () => {
    expect(await signedFor("https://lanes.example.com")).toContain("/eu-west-1/execute-api/");
    vi.stubEnv("AWS_REGION", undefined);
    await expect(awsFetch("https://lanes.example.com")).rejects.toThrow("AWS_REGION");
  });
});
