/**
 * AWS's own examples of Signature Version 4. The first are of the suite that AWS publishes with its C
 * library (awslabs/aws-c-auth, tests/aws-signing-test-suite/v4), the last is that of AWS's general
 * reference (ListUsers). The values are theirs, stated anew.
 */
import { describe, expect, it } from "vitest";
import {
  canonicalRequest,
  isSignedBy,
  signatureOf,
  stringToSign,
  type SignedRequest,
} from "../../src/sqs/sigv4.ts";

const CREDENTIALS = { secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" };
const SIGNING = {
  time: "20150830T123600Z",
  date: "20150830",
  region: "us-east-1",
  service: "service",
};
const FORM = "application/x-www-form-urlencoded";
const UNRESERVED = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const TOKEN = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";

interface Vector {
  readonly name: string;
  readonly method?: string;
  readonly path?: string;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Signatures of the two forms. */
  readonly header: string;
  readonly presigned?: string;
  readonly token?: string;
}

const VECTORS: readonly Vector[] = [
  {
    name: "get-vanilla",
    header: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    presigned: "e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d",
  },
  {
    name: "get-vanilla-with-session-token",
    token: TOKEN,
    header: "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
    presigned: "7ff2b50b376cb4d151970630573d6291dc128cc5c2a12ffb237f73cc53f67b6c",
  },
  {
    name: "get-header-key-duplicate",
    headers: { "my-header1": "value2,value2,value1" },
    header: "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
    presigned: "3349ee0b81b4b589da0ff28a395c3591e04de515651dd74f298fa992d1507a97",
  },
  {
    name: "get-header-value-order",
    headers: { "my-header1": "value4,value1,value3,value2" },
    header: "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01",
    presigned: "313720e71ca6202fdcfa9b20f88de01a4eb0638a83c833b1c184359a4eda864e",
  },
  {
    name: "get-header-value-trim",
    headers: { "my-header1": " value1", "my-header2": ' "a   b   c"' },
    header: "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    presigned: "e7bb0fd515e125e1aec2ecc4c0c17484fb06f6846b927c35e46005dd3df3acd4",
  },
  {
    name: "get-header-value-multiline",
    headers: { "my-header1": "value1\n  value2\n     value3" },
    header: "cfd34249e4b1c8d6b91ef74165d41a32e5fab3306300901bb65a51a73575eefd",
    presigned: "e6f5def831211aca02987a44b96826706278c7bc078112ae0263659c5b2f2d56",
  },
  {
    name: "get-unreserved",
    path: `/${UNRESERVED}`,
    header: "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
    presigned: "95968482db1b9e0fadef6efc1bd24689f77c77d9ef56919c96a28cc92e0d6005",
  },
  {
    name: "get-vanilla-query-order-key-case",
    query: "Param2=value2&Param1=value1",
    header: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    presigned: "86012e2c9ad4d77369f5d81c11f75158aae4f895a085212cc6d3f923d300bed5",
  },
  {
    name: "get-vanilla-query-order-encoded",
    query: "Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
    header: "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
    presigned: "c5f1848ceec943ac2ca68ee720460c23aaae30a2300586597ada94c4a65e4787",
  },
  {
    name: "get-vanilla-query-unreserved",
    query: `${UNRESERVED}=${UNRESERVED}`,
    header: "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
    presigned: "8e76a88a7433637b12778d5592799b29ad21ecd6cf6325051c21d86f0acda2bf",
  },
  {
    name: "get-vanilla-utf8-query",
    query: "ሴ=bar",
    header: "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
    presigned: "0bdd809b1519ac4f0c1dc3540e2cc46bd0c7f778eda408b2ebf3b913d21ff600",
  },
  {
    name: "post-header-value-case",
    method: "POST",
    headers: { "my-header1": "VALUE1" },
    header: "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
    presigned: "0698bc9e4f7f9139065ba2909c0e99da257e8e2a42492a097bcd46d792391fed",
  },
  {
    name: "post-vanilla-query",
    method: "POST",
    query: "Param1=value1",
    header: "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
    presigned: "a9ef26247f293bffe40eeff86a0480ba8c14d31503b2e0c3399e3a16bf1a3682",
  },
  {
    name: "post-x-www-form-urlencoded",
    method: "POST",
    headers: { "content-type": FORM, "content-length": "13" },
    body: "Param1=value1",
    header: "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b",
    presigned: "89a40deed0f26f9461242825a082d2222717248abc7ab41f552ad84a94ad46e9",
  },
  {
    name: "post-x-www-form-urlencoded-parameters",
    method: "POST",
    headers: { "content-type": `${FORM}; charset=utf-8`, "content-length": "13" },
    body: "Param1=value1",
    header: "328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422",
    presigned: "0dbeb9b026c7b6675f266b8427efec9b4fa8b1f6ef1477d717aea231106eab4d",
  },
];

const SHA256_OF_FORM = "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e";

/** The request of a vector, without what the two forms add to it. */
const plain = (vector: Vector): SignedRequest => ({
  method: vector.method ?? "GET",
  path: vector.path ?? "/",
  query: vector.query ?? "",
  headers: { host: "example.amazonaws.com", ...vector.headers },
  body: Buffer.from(vector.body ?? ""),
});

const signature = (request: SignedRequest, signedHeaders: readonly string[]): string => {
  const signing = { ...SIGNING, signedHeaders };
  const canonical = canonicalRequest(request, signedHeaders) ?? "";
  return signatureOf(CREDENTIALS, signing, stringToSign(signing, canonical));
};

describe.each(VECTORS)("AWS's $name", (vector) => {
  const request = plain(vector);

  it("has its signature in the header", () => {
    const headers = {
      ...request.headers,
      "x-amz-date": SIGNING.time,
      ...(vector.body === undefined ? {} : { "x-amz-content-sha256": SHA256_OF_FORM }),
      ...(vector.token === undefined ? {} : { "x-amz-security-token": vector.token }),
    };
    expect(signature({ ...request, headers }, Object.keys(headers).sort())).toBe(vector.header);
  });

  it("has its signature in the query", () => {
    const names = Object.keys(request.headers).sort();
    const parameters = {
      "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
      "X-Amz-Credential": "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request",
      "X-Amz-Date": SIGNING.time,
      "X-Amz-SignedHeaders": names.join(";"),
      "X-Amz-Expires": "3600",
      ...(vector.token === undefined ? {} : { "X-Amz-Security-Token": vector.token }),
      "X-Amz-Signature": vector.presigned ?? "",
    };
    const added = new URLSearchParams(parameters).toString();
    const query = request.query === "" ? added : `${request.query}&${added}`;
    expect(signature({ ...request, query }, names)).toBe(vector.presigned);
  });
});

it("the example of the general reference comes out step by step", () => {
  const signing = {
    ...SIGNING,
    service: "iam",
    signedHeaders: ["content-type", "host", "x-amz-date"],
  };
  const request = {
    method: "GET",
    path: "/",
    query: "Action=ListUsers&Version=2010-05-08",
    headers: {
      host: "iam.amazonaws.com",
      "content-type": `${FORM}; charset=utf-8`,
      "x-amz-date": SIGNING.time,
    },
    body: Buffer.alloc(0),
  };
  const text = stringToSign(signing, canonicalRequest(request, signing.signedHeaders) ?? "");
  expect(text.split("\n")).toEqual([
    "AWS4-HMAC-SHA256",
    "20150830T123600Z",
    "20150830/us-east-1/iam/aws4_request",
    "f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59",
  ]);
  const expected = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
  expect(signatureOf(CREDENTIALS, signing, text)).toBe(expected);
  const claim = { ...signing, signature: expected };
  expect(isSignedBy(CREDENTIALS, request, claim)).toBe(true);
  for (const signature of ["", expected.toUpperCase(), `${expected}0`, expected.slice(1)])
    expect(isSignedBy(CREDENTIALS, request, { ...claim, signature })).toBe(false);
});

it.each(["/a b", "/a%20b", "//", "/a/", "/../q", "/1/..", "/1/.", "/1/q/more", "", "/é", "/1/q?x"])(
  "S1: the path %j is not signed in one way only, and never verified",
  (path) => {
    const request = { ...plain({ name: "", header: "" }), path };
    expect(canonicalRequest(request, ["host"])).toBeUndefined();
    const claim = { ...SIGNING, signedHeaders: ["host"], signature: "0".repeat(64) };
    expect(isSignedBy(CREDENTIALS, request, claim)).toBe(false);
  },
);

it("S3: keys of days, regions and secrets are kept apart", () => {
  const signing = { ...SIGNING, signedHeaders: ["host"] };
  const others = [
    [{ ...CREDENTIALS, secretAccessKey: "other" }, signing],
    [CREDENTIALS, { ...signing, date: "20150831" }],
    [CREDENTIALS, { ...signing, region: "eu-west-1" }],
    [CREDENTIALS, { ...signing, service: "sqs" }],
  ] as const;
  const first = signatureOf(CREDENTIALS, signing, "text");
  const made = others.map(([credentials, other]) => signatureOf(credentials, other, "text"));
  expect(new Set([first, ...made]).size).toBe(5);
  expect(signatureOf(CREDENTIALS, signing, "text")).toBe(first);
});
