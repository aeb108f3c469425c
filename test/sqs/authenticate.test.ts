/**
 * Hunts requests that pass though they are not what was signed, and ones that AWS's SDKs sign well and
 * that are refused. What is signed is random, and so is what an attacker changes of it.
 */
import type { APIGatewayProxyEventV2 } from "aws-lambda";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AuthMode } from "../../src/http/authorise.ts";
import { epochMs, queueName } from "../../src/core/types.ts";
import { authenticateSqs } from "../../src/sqs/authenticate.ts";
import { SqsError } from "../../src/sqs/errors.ts";
import { requestOf } from "./requests.ts";
import { jsonWish, signed, type Signed, type Signing, type Wish } from "./signing.ts";

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
const MINUTE = 60_000;
const KEY = {
  id: "k1",
  name: "orders",
  scopes: [{ actions: ["send" as const], queues: "orders-*" }],
  createdAt: epochMs(NOW),
};
const SIGNING: Signing = {
  accessKeyId: "LANEMQAKABCDEFGHIJKL",
  secretAccessKey: "secret-of-forty-characters-or-thereabout",
  region: "eu-central-1",
  service: "sqs",
  at: new Date(NOW),
};
const ACCESS_KEY = { key: KEY, secretAccessKey: SIGNING.secretAccessKey };
const service = {
  accessKey: async (id: string) => (id === SIGNING.accessKeyId ? ACCESS_KEY : undefined),
};
const WISH = jsonWish("SendMessage", { QueueUrl: "orders-1", MessageBody: "hello" });
const DEPLOYED = { mode: "deployed" } as const;

const callerOf = ({ event, body }: Signed, now = NOW, auth: AuthMode = DEPLOYED) =>
  authenticateSqs(auth, event, body, service, epochMs(now));

/** Name and text of the refusal; `undefined` where there is none. */
const refusal = async (request: Signed, now = NOW, auth: AuthMode = DEPLOYED) =>
  callerOf(request, now, auth).then(
    () => undefined,
    (error: unknown) => {
      if (error instanceof SqsError) return [error.name, error.message];
      throw error;
    },
  );

const changed = (request: Signed, change: Partial<APIGatewayProxyEventV2>): Signed => ({
  ...request,
  event: { ...request.event, ...change },
});

const withHeaders = (request: Signed, headers: Record<string, string>): Signed =>
  changed(request, { headers: { ...request.event.headers, ...headers } });

const replaced = (request: Signed, from: string | RegExp, to: string): Signed =>
  changed(request, {
    rawQueryString: request.event.rawQueryString.replace(from, to),
    headers: {
      ...request.event.headers,
      ...(request.event.headers["authorization"] === undefined
        ? {}
        : { authorization: request.event.headers["authorization"].replace(from, to) }),
    },
  });

const text = fc.string({ unit: "binary", maxLength: 12 });
const name = text.filter((one) => !/^x-amz-/i.test(one) && one !== "__proto__");
const headerValue = fc.string({
  unit: fc.constantFrom(..." \tabcXYZ019/+=;,:\"'%~".split("")),
  maxLength: 20,
});
const wish: fc.Arbitrary<Wish> = fc.record({
  method: fc.constantFrom("GET", "POST"),
  path: fc.constantFrom("/", "/000000000000/orders-1", "/000000000000/a.B_c-9.fifo", "/queue/..q"),
  query: fc.dictionary(name, fc.oneof(text, fc.array(text, { minLength: 1, maxLength: 3 })), {
    maxKeys: 4,
  }),
  headers: fc.record(
    {
      "content-type": headerValue,
      "x-amz-target": headerValue,
      "amz-sdk-invocation-id": headerValue,
      "user-agent": headerValue,
      "x-odd": headerValue,
    },
    { requiredKeys: [] },
  ),
  body: fc.uint8Array({ maxLength: 40 }),
});
const expiry = fc.option(fc.integer({ min: 60, max: 604_800 }), { nil: undefined });
const signing = (expires: number | undefined, region: string): Signing => ({
  ...SIGNING,
  region,
  ...(expires === undefined ? {} : { expires }),
});
const region = fc.constantFrom("us-east-1", "elasticmq", "RegionOne", "x");

describe("what AWS's SDK signs", () => {
  it("is verified, in the header and presigned, spaces as %20 or +", async () => {
    await fc.assert(
      fc.asyncProperty(wish, expiry, region, fc.boolean(), async (one, expires, where, plus) => {
        expect(await refusal(await signed(one, signing(expires, where), { plus }))).toBeUndefined();
      }),
      { numRuns: 400 },
    );
  });

  it("makes a caller that may what the key may", async () => {
    const caller = await callerOf(await signed(WISH, SIGNING));
    expect(caller.unlimited).toBe(false);
    expect(caller.may(["send"], queueName("orders-1"))).toBe(true);
    expect(caller.may(["send"], queueName("others"))).toBe(false);
    expect(caller.may(["receive"], queueName("orders-1"))).toBe(false);
  });

  it("is verified when a gateway leaves out the length that was signed", async () => {
    const headers = { ...WISH.headers, "content-length": String(WISH.body.length) };
    const request = await signed({ ...WISH, headers }, SIGNING);
    const { "content-length": _, ...others } = request.event.headers;
    expect(await refusal(changed(request, { headers: others }))).toBeUndefined();
    expect(await refusal(withHeaders(request, { "content-length": "1" }))).toEqual(MISMATCH);
  });

  it("is verified with what proxies add", async () => {
    const request = withHeaders(await signed(WISH, SIGNING), {
      "x-forwarded-for": "203.0.113.7",
      "x-amzn-trace-id": "Root=1-67891233-abcdef012345678912345678",
      "x-amz-cf-id": "cloudfront",
      via: "1.1 proxy",
    });
    expect(await refusal(request)).toBeUndefined();
  });
});

const MISMATCH = [
  "SignatureDoesNotMatch",
  "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
];

/** Each changes what it is given for certain, given a number to choose by. */
const TAMPERINGS: Readonly<Record<string, (request: Signed, chance: number) => Signed>> = {
  method: (request) => {
    const { requestContext } = request.event;
    const method = requestContext.http.method === "GET" ? "POST" : "GET";
    return changed(request, {
      requestContext: { ...requestContext, http: { ...requestContext.http, method } },
    });
  },
  path: (request, chance) =>
    changed(request, {
      rawPath: chance % 2 === 0 ? `${request.event.rawPath}x` : "/000000000000/other",
    }),
  "a parameter more": (request, chance) =>
    changed(request, {
      rawQueryString: `${request.event.rawQueryString}&${["Action=PurgeQueue", "=", "a", "%00=b"][chance % 4]}`,
    }),
  "a parameter before": (request) =>
    changed(request, { rawQueryString: `Action=DeleteQueue&${request.event.rawQueryString}` }),
  "a byte of the body": (request, chance) => {
    const body = Uint8Array.from(request.body.length === 0 ? [0] : request.body);
    if (request.body.length > 0) {
      const at = chance % body.length;
      body[at] = (body[at] ?? 0) ^ (1 << (chance % 8));
    }
    return { ...request, body };
  },
  "a byte more": (request) => ({ ...request, body: Buffer.concat([request.body, Buffer.of(32)]) }),
  "the host": (request) => withHeaders(request, { host: "other.example.com" }),
  "a digit of the signature": (request, chance) => {
    const { rawQueryString, headers } = request.event;
    const [, digits = ""] =
      /Signature=([0-9a-f]{64})/.exec(rawQueryString + headers["authorization"]) ?? [];
    const at = chance % 64;
    return replaced(
      request,
      digits,
      digits.slice(0, at) + otherDigit(digits[at]) + digits.slice(at + 1),
    );
  },
  "the region": (request) => replaced(request, /(%2F|\/)sqs(%2F|\/)/, "x$1sqs$2"),
  "an amz header more": (request) => withHeaders(request, { "x-amz-more": "1" }),
  "no session token": (request) => withHeaders(request, { "x-amz-security-token": "t" }),
  "a header that is no longer signed": (request) =>
    replaced(request, /(SignedHeaders=)([^,&]*?)(;|%3B)?host/, "$1$2$3host;x-added"),
};

const otherDigit = (digit = "0"): string => (Number.parseInt(digit, 16) ^ 1).toString(16);

describe("what was tampered with is refused:", () => {
  it.each(Object.keys(TAMPERINGS))("%s", async (what) => {
    const tamper = TAMPERINGS[what];
    if (tamper === undefined) throw new Error(what);
    await fc.assert(
      fc.asyncProperty(wish, expiry, fc.nat(), async (one, expires, chance) => {
        const request = await signed(one, signing(expires, "us-east-1"));
        expect(await refusal(request)).toBeUndefined();
        expect(await refusal(tamper(request, chance))).toBeDefined();
      }),
      { numRuns: 60 },
    );
  });

  it("each header that was signed, one by one", async () => {
    const headers = { ...WISH.headers, "amz-sdk-request": "attempt=1; max=3" };
    const request = await signed({ ...WISH, headers }, SIGNING);
    for (const name of [...Object.keys(headers), "x-amz-date"]) {
      const other = withHeaders(request, { [name]: `${request.event.headers[name]}x` });
      expect([name, await refusal(other)]).not.toEqual([name, undefined]);
      const { [name]: _, ...rest } = request.event.headers;
      expect([name, await refusal(changed(request, { headers: rest }))]).not.toEqual([
        name,
        undefined,
      ]);
    }
  });

  it("each parameter of a presigned one, and a plus for what was no space", async () => {
    const query = { Action: "SendMessage", MessageBody: "1+1 2" };
    const presigned = { ...SIGNING, expires: 3600 };
    const request = await signed({ ...WISH, headers: {}, query }, presigned);
    const pairs = [...new URLSearchParams(request.event.rawQueryString)];
    expect(pairs).toHaveLength(8);
    const asked = (some: [string, string][]) =>
      refusal(changed(request, { rawQueryString: new URLSearchParams(some).toString() }));
    expect(await asked(pairs)).toBeUndefined();
    for (const [at, [name = "", value = ""]] of pairs.entries()) {
      expect([name, await asked(pairs.toSpliced(at, 1))]).not.toEqual([name, undefined]);
      const another = pairs.toSpliced(at, 1, [name, `${value}1`]);
      expect([name, await asked(another)]).not.toEqual([name, undefined]);
      const twice: [string, string][] = [...pairs, [name, value]];
      expect([name, await asked(twice)]).not.toEqual([name, undefined]);
    }
    const plus = request.event.rawQueryString.replace("%2B", "+");
    expect(await refusal(changed(request, { rawQueryString: plus }))).toEqual(MISMATCH);
  });
});

describe("S4: time", () => {
  const within = async (ms: number) => refusal(await signed(WISH, SIGNING), NOW + ms);

  it("may be 15 minutes off, either way, and no second more", async () => {
    for (const ms of [-15 * MINUTE, 15 * MINUTE]) expect(await within(ms)).toBeUndefined();
    expect(await within(15 * MINUTE + 1000)).toEqual([
      "SignatureDoesNotMatch",
      "Signature expired: 20260102T030405Z is now earlier than 20260102T030406Z (20260102T031906Z - 15 min.)",
    ]);
    expect(await within(-15 * MINUTE - 1000)).toEqual([
      "SignatureDoesNotMatch",
      "Signature not yet current: 20260102T030405Z is still later than 20260102T030404Z (20260102T024904Z + 15 min.)",
    ]);
  });

  it("of a presigned request ends when it says, and begins 15 minutes before its time", async () => {
    const request = await signed(WISH, { ...SIGNING, expires: 604_800 });
    for (const ms of [-15 * MINUTE, 604_800_000 - 1])
      expect(await refusal(request, NOW + ms)).toBeUndefined();
    expect(await refusal(request, NOW + 604_800_000)).toEqual([
      "RequestExpired",
      "Request has expired.",
    ]);
    expect((await refusal(request, NOW - 15 * MINUTE - 1))?.[0]).toBe("SignatureDoesNotMatch");
  });

  it.each(["0", "604801", "1.5", "-1", "", "1e3", "9999999999"])(
    "X-Amz-Expires of %j is refused",
    async (expires) => {
      const request = await signed(WISH, { ...SIGNING, expires: 60 });
      const other = replaced(request, "X-Amz-Expires=60", `X-Amz-Expires=${expires}`);
      expect((await refusal(other))?.[0]).toBe("IncompleteSignature");
    },
  );

  it("is in the Date header where there is no X-Amz-Date", async () => {
    const request = await signed(WISH, SIGNING);
    const { "x-amz-date": date = "", ...headers } = request.event.headers;
    const other = changed(request, { headers: { ...headers, date } });
    // The signature covers x-amz-date, which is gone: known, current, and no match.
    expect(await refusal(other)).toEqual(MISMATCH);
    expect((await refusal(other, NOW + 16 * MINUTE))?.[1]).toMatch(/^Signature expired/);
  });

  it.each(["2026-01-02T03:04:05Z", "20260102T030405", "20260230T030405Z", "20260102T240000Z", "x"])(
    "%j is none",
    async (date) => {
      const request = withHeaders(await signed(WISH, SIGNING), { "x-amz-date": date });
      expect(await refusal(request)).toEqual([
        "IncompleteSignature",
        `Date must be in ISO-8601 'basic format'. Got '${date}'. See http://en.wikipedia.org/wiki/ISO_8601`,
      ]);
    },
  );
});

describe("S4: scope", () => {
  const scoped = async (scope: string) =>
    refusal(replaced(await signed(WISH, SIGNING), "20260102/eu-central-1/sqs/aws4_request", scope));

  it.each([
    [
      "20260102/eu-central-1/sns/aws4_request",
      "Credential should be scoped to correct service: 'sqs'.",
    ],
    ["20260102//sqs/aws4_request", "Credential should be scoped to a valid region, not ''."],
    [
      "20260102/a/sqs/aws3_request",
      "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws3_request'.",
    ],
    [
      "20260101/a/sqs/aws4_request",
      "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20260101' != '20260102', from '20260102T030405Z'.",
    ],
    [
      "20260102/a/b/c",
      "Credential should be scoped to correct service: 'sqs'. Credential should be scoped with a valid terminator: 'aws4_request', not 'c'.",
    ],
  ])("%s is refused", async (scope, message) => {
    expect(await scoped(scope)).toEqual(["SignatureDoesNotMatch", message]);
  });

  it("has five parts with the key's id", async () => {
    expect((await scoped("20260102/eu-central-1/sqs"))?.[1]).toMatch(
      /^Credential must have exactly 5 slash-delimited elements/,
    );
  });
});

describe("refused in AWS's words", () => {
  const plain = (headers: Record<string, string>, query = ""): Signed => ({
    event: requestOf({ headers, query }),
    body: Buffer.alloc(0),
  });

  it("is a request without a signature", async () => {
    const expected = ["MissingAuthenticationToken", "Request is missing Authentication Token"];
    expect(await refusal(plain({}))).toEqual(expected);
    expect(await refusal(plain({}, "Action=ListQueues&X-Amz-Signature=1"))).toEqual(expected);
  });

  it("is one in two places", async () => {
    const request = await signed(WISH, SIGNING);
    const other = changed(request, { rawQueryString: "X-Amz-Algorithm=AWS4-HMAC-SHA256" });
    expect((await refusal(other))?.[1]).toMatch(/^Found both 'X-Amz-Algorithm'/);
  });

  it("is one that lacks parts", async () => {
    const [name, message] =
      (await refusal(plain({ authorization: "AWS4-HMAC-SHA256 Credential=a" }))) ?? [];
    expect(name).toBe("IncompleteSignature");
    expect(message).toMatch(
      /^Authorization header requires 'Signature' parameter\. Authorization header requires 'SignedHeaders' parameter\. Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header\. \(Hashed with SHA-256 and encoded with Base64\) Authorization=[\w/+]{43}=$/,
    );
    expect(await refusal(plain({}, "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=x"))).toEqual([
      "IncompleteSignature",
      "AWS query-string parameters must include 'X-Amz-Credential'. AWS query-string parameters must include 'X-Amz-Signature'. AWS query-string parameters must include 'X-Amz-SignedHeaders'. Re-examine the query-string parameters.",
    ]);
  });

  it.each([
    "Bearer lmq_x",
    "Basic abc",
    "AWS4-ECDSA-P256-SHA256 Credential=a",
    "AWS4-HMAC-SHA25 a",
  ])("is the algorithm of %s, which is not shown", async (authorization) => {
    const [scheme = ""] = authorization.split(" ");
    expect(await refusal(plain({ authorization }))).toEqual([
      "IncompleteSignature",
      `Unsupported AWS 'algorithm': '${scheme}'.`,
    ]);
  });

  it("is a part without an equal sign, or one that is there twice", async () => {
    const request = await signed(WISH, SIGNING);
    const { authorization = "" } = request.event.headers;
    for (const [other, message] of [
      [`${authorization}, x`, /^Invalid key=value pair \(missing equal-sign\)/],
      [`${authorization}, Signature=0`, /^Authorization header has 'Signature' twice/],
      [`${authorization},${authorization}`, /twice/],
    ] as const)
      expect((await refusal(withHeaders(request, { authorization: other })))?.[1]).toMatch(message);
  });

  it("S5: is a host, or an amz header, that is not signed", async () => {
    const request = await signed(WISH, SIGNING);
    expect(await refusal(replaced(request, /host;/, ""))).toEqual([
      "SignatureDoesNotMatch",
      "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
    ]);
    expect(await refusal(replaced(request, ";x-amz-target", ""))).toEqual([
      "AccessDenied",
      "There were headers present in the request which were not signed: x-amz-target",
    ]);
  });

  it("is an unknown access key, and any session token", async () => {
    const invalid = [
      "InvalidClientTokenId",
      "The security token included in the request is invalid.",
    ];
    expect(await refusal(await signed(WISH, { ...SIGNING, accessKeyId: "AKIA" }))).toEqual(invalid);
    for (const expires of [{}, { expires: 60 }])
      expect(
        await refusal(await signed(WISH, { ...SIGNING, sessionToken: "t", ...expires })),
      ).toEqual(invalid);
  });

  it("S2: is a wrong secret, and nothing is shown of what was expected", async () => {
    const request = await signed(WISH, { ...SIGNING, secretAccessKey: "wrong" });
    expect(await refusal(request)).toEqual(MISMATCH);
  });

  it("S1: is a payload that is said not to be signed, or whose hash is another's", async () => {
    for (const hash of ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "0".repeat(64)]) {
      const headers = { ...WISH.headers, "x-amz-content-sha256": hash };
      expect(await refusal(await signed({ ...WISH, headers }, SIGNING))).toEqual(MISMATCH);
    }
  });
});

describe("S7: embedded", () => {
  const admin = { mode: "admin-key", key: "the admin's key" } as const;
  const asAdmin = { ...SIGNING, accessKeyId: "lanemq", secretAccessKey: admin.key };

  it("without a key, everybody may do everything, signed or not", async () => {
    const nobody = { event: requestOf({}), body: Buffer.alloc(0) };
    expect((await callerOf(nobody, NOW, { mode: "open" })).unlimited).toBe(true);
  });

  it("with one, it signs as `lanemq` and may do everything; others by their scopes", async () => {
    expect((await callerOf(await signed(WISH, asAdmin), NOW, admin)).unlimited).toBe(true);
    expect((await callerOf(await signed(WISH, SIGNING), NOW, admin)).unlimited).toBe(false);
    const wrong = await signed(WISH, { ...asAdmin, secretAccessKey: "the admin's kez" });
    expect(await refusal(wrong, NOW, admin)).toEqual(MISMATCH);
  });

  it("deployed, `lanemq` is nobody", async () => {
    expect((await refusal(await signed(WISH, asAdmin)))?.[0]).toBe("InvalidClientTokenId");
  });
});
