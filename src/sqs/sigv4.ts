/**
 * AWS Signature Version 4, from the side of who verifies: the canonical request, what is signed of it,
 * and the comparison. What a request claims is `sigv4-claim.ts`.
 *
 * S1  What is verified is what is acted on: parameters are made canonical as the protocols decode
 *     them, the payload's hash is that of the bytes that they read, never one that the request names,
 *     and a path is one that has nothing to encode, for HTTP API hands it over decoded.
 * S2  Signatures are compared in constant time. No refusal shows the signature that was expected.
 * S3  A signing key lives no longer than the credentials that it was made of.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";

export interface SignedRequest {
  readonly method: string;
  /** Decoded. */
  readonly path: string;
  /** As it came, without the question mark. */
  readonly query: string;
  /** By names in lower case; of a repeated one the values stand in one, with commas. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
}

export interface Credentials {
  readonly secretAccessKey: string;
}

/** What is signed beside the request. */
export interface Signing {
  /** `20150830T123600Z` */
  readonly time: string;
  /** `20150830` */
  readonly date: string;
  readonly region: string;
  readonly service: string;
  /** In lower case, in the order in which they were signed. */
  readonly signedHeaders: readonly string[];
}

export const ALGORITHM = "AWS4-HMAC-SHA256";
export const TERMINATOR = "aws4_request";
export const SIGNATURE_PARAMETER = "X-Amz-Signature";

/** `undefined`: the path is none that is signed in one way only (S1). */
export function canonicalRequest(
  request: SignedRequest,
  signedHeaders: readonly string[],
): string | undefined {
  if (!isPlainPath(request.path)) return undefined;
  return [
    request.method,
    request.path,
    canonicalQuery(request.query),
    ...signedHeaders.map((name) => `${name}:${canonicalValue(request, name)}`),
    "",
    signedHeaders.join(";"),
    sha256(request.body),
  ].join("\n");
}

export const stringToSign = (signing: Signing, canonical: string): string =>
  [ALGORITHM, signing.time, scopeOf(signing), sha256(canonical)].join("\n");

/** In hexadecimal digits. */
export const signatureOf = (credentials: Credentials, signing: Signing, text: string): string =>
  hmac(signingKey(credentials, signing), text).toString("hex");

/** S2 */
export function isSignedBy(
  credentials: Credentials,
  request: SignedRequest,
  claim: Signing & { readonly signature: string },
): boolean {
  const canonical = canonicalRequest(request, claim.signedHeaders);
  if (canonical === undefined || !/^[0-9a-f]{64}$/.test(claim.signature)) return false;
  const expected = signatureOf(credentials, claim, stringToSign(claim, canonical));
  return timingSafeEqual(Buffer.from(expected), Buffer.from(claim.signature));
}

/** `/`, or an account and a queue, of characters that mean themselves; no `.` or `..` as a whole. */
const isPlainPath = (path: string): boolean =>
  path === "/" || /^(\/(?!\.{1,2}(\/|$))[A-Za-z0-9_.~-]{1,80}){1,2}$/.test(path);

/** As `URLSearchParams` reads them, which is how the query protocol does. */
function canonicalQuery(query: string): string {
  return [...new URLSearchParams(query)]
    .filter(([name]) => name !== SIGNATURE_PARAMETER)
    .map(([name, value]): [string, string] => [encoded(name), encoded(value)])
    .sort(([a, of], [b, than]) => compare(a, b) || compare(of, than))
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
}

/** RFC 3986 */
const encoded = (text: string): string =>
  encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** A gateway may leave out the length, which follows from the body. */
function canonicalValue({ headers, body }: SignedRequest, name: string): string {
  const value = Object.hasOwn(headers, name) ? headers[name] : undefined;
  if (value === undefined) return name === "content-length" ? String(body.length) : "";
  return value.trim().replace(/\s+/g, " ");
}

const scopeOf = ({ date, region, service }: Signing): string =>
  [date, region, service, TERMINATOR].join("/");

/** By the object that holds the secret: the latest key of each (S3). */
const signingKeys = new WeakMap<Credentials, { readonly scope: string; readonly key: Buffer }>();

function signingKey(credentials: Credentials, signing: Signing): Buffer {
  const scope = scopeOf(signing);
  const known = signingKeys.get(credentials);
  if (known?.scope === scope) return known.key;
  const ofDay = hmac(`AWS4${credentials.secretAccessKey}`, signing.date);
  const key = hmac(hmac(hmac(ofDay, signing.region), signing.service), TERMINATOR);
  signingKeys.set(credentials, { scope, key });
  return key;
}

const hmac = (key: string | Uint8Array, text: string): Buffer =>
  createHmac("sha256", key).update(text).digest();

const sha256 = (content: string | Uint8Array): string =>
  createHash("sha256").update(content).digest("hex");
