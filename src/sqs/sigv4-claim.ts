/**
 * What a request claims of its signature, in its `Authorization` header or, presigned, in its query;
 * in the order, by the names and in the words in which AWS refuses it.
 *
 * S4  A claim is good for 15 minutes before and after its time; a presigned one for as long after it
 *     as it says, a week at most. Its scope is that day's, of SQS, in any region.
 * S5  `host` is signed, and so is every `x-amz-*` header that there is: they say what is asked for.
 * S6  Nothing is taken from two places: not from header and query, and from neither twice.
 */
import { createHash } from "node:crypto";
import { LIMITS } from "../core/limits.ts";
import type { EpochMs } from "../core/types.ts";
import { SqsError } from "./errors.ts";
import { ALGORITHM, SIGNATURE_PARAMETER, TERMINATOR } from "./sigv4.ts";
import type { SignedRequest, Signing } from "./sigv4.ts";

export interface Claim extends Signing {
  readonly accessKeyId: string;
  readonly signature: string;
  /** Of temporary credentials. */
  readonly sessionToken: string | undefined;
}

const SERVICE = "sqs";
/** CloudFront adds it, behind the back of who signs. */
const NOT_THE_CLIENTS = "x-amz-cf-id";

/** As they came, not judged yet. */
interface Raw {
  readonly algorithm: string;
  readonly credential: string;
  readonly signedHeaders: string;
  readonly signature: string;
  readonly time: string;
  readonly sessionToken: string | undefined;
  /** Presigned: for how many seconds. */
  readonly expires?: number;
}

/** @throws SqsError of those that AWS names so */
export function claimOf(request: SignedRequest, now: EpochMs): Claim {
  const authorization = headerOf(request, "authorization");
  const parameters = new URLSearchParams(request.query);
  const isPresigned = parameters.has("X-Amz-Algorithm");
  if (authorization === undefined && !isPresigned)
    throw new SqsError("MissingAuthenticationToken", "Request is missing Authentication Token");
  if (authorization !== undefined && isPresigned)
    throw mismatch(
      "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.",
    );
  const raw =
    authorization === undefined
      ? presigned(request, parameters)
      : inHeader(request, authorization.trim());
  checkTime(raw, now);
  const signedHeaders = raw.signedHeaders.toLowerCase().split(";");
  if (!signedHeaders.includes("host"))
    throw mismatch("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
  checkAllSigned(request, signedHeaders);
  if (raw.algorithm !== ALGORITHM) throw unsupported(raw.algorithm);
  return {
    ...scopeOf(raw),
    time: raw.time,
    signedHeaders,
    signature: raw.signature,
    sessionToken: raw.sessionToken,
  };
}

function inHeader(request: SignedRequest, authorization: string): Raw {
  const [algorithm = "", ...rest] = authorization.split(/\s+/);
  if (algorithm !== ALGORITHM) throw unsupported(algorithm);
  const hashed = createHash("sha256").update(authorization).digest("base64");
  const fields = new Map<string, string>();
  for (const field of rest.join("").split(",")) {
    const at = field.indexOf("=");
    if (at < 0)
      throw incomplete(
        `Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): '${hashed}'.`,
      );
    if (fields.has(field.slice(0, at)))
      throw incomplete(`Authorization header has '${field.slice(0, at)}' twice.`);
    fields.set(field.slice(0, at), field.slice(at + 1));
  }
  const time = headerOf(request, "x-amz-date") ?? headerOf(request, "date") ?? "";
  const lacking = ["Credential", "Signature", "SignedHeaders"]
    .filter((name) => (fields.get(name) ?? "") === "")
    .map((name) => `Authorization header requires '${name}' parameter. `);
  if (time === "")
    lacking.push(
      "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ",
    );
  if (lacking.length > 0)
    throw incomplete(
      `${lacking.join("")}(Hashed with SHA-256 and encoded with Base64) Authorization=${hashed}`,
    );
  return {
    algorithm,
    credential: fields.get("Credential") ?? "",
    signedHeaders: fields.get("SignedHeaders") ?? "",
    signature: fields.get("Signature") ?? "",
    time,
    sessionToken: headerOf(request, "x-amz-security-token"),
  };
}

function presigned(request: SignedRequest, parameters: URLSearchParams): Raw {
  const names = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    SIGNATURE_PARAMETER,
    "X-Amz-SignedHeaders",
    "X-Amz-Date",
  ];
  const lacking = names
    .filter((name) => (parameters.get(name) ?? "") === "")
    .map((name) => `AWS query-string parameters must include '${name}'. `);
  if (lacking.length > 0)
    throw incomplete(`${lacking.join("")}Re-examine the query-string parameters.`);
  const twice = [...names, "X-Amz-Expires", "X-Amz-Security-Token"].find(
    (name) => parameters.getAll(name).length > 1,
  );
  if (twice !== undefined)
    throw incomplete(`AWS query-string parameters must include '${twice}' once only.`);
  const [algorithm = "", credential = "", signature = "", signedHeaders = "", time = ""] =
    names.map((name) => parameters.get(name) ?? "");
  return {
    algorithm,
    credential,
    signature,
    signedHeaders,
    time,
    sessionToken:
      parameters.get("X-Amz-Security-Token") ?? headerOf(request, "x-amz-security-token"),
    expires: expiresOf(parameters.get("X-Amz-Expires")),
  };
}

function expiresOf(text: string | null): number {
  if (text === null) return LIMITS.signatureMs / 1000;
  if (!/^\d{1,9}$/.test(text)) throw incomplete("X-Amz-Expires must be a number");
  const seconds = Number(text);
  if (seconds >= 1 && seconds <= LIMITS.presignedSecondsMax) return seconds;
  throw incomplete(`X-Amz-Expires must be from 1 to ${LIMITS.presignedSecondsMax} seconds, a week`);
}

/** S4 */
function checkTime({ time, expires }: Raw, now: EpochMs): void {
  const at = timeOf(time);
  if (at === undefined)
    throw incomplete(
      `Date must be in ISO-8601 'basic format'. Got '${time.slice(0, 40)}'. See http://en.wikipedia.org/wiki/ISO_8601`,
    );
  const minutes = LIMITS.signatureMs / 60_000;
  const limit = (ms: number): string => `${basic(ms)} (${basic(now)}`;
  if (at > now + LIMITS.signatureMs)
    throw mismatch(
      `Signature not yet current: ${time} is still later than ${limit(now + LIMITS.signatureMs)} + ${minutes} min.)`,
    );
  if (expires !== undefined) {
    if (now >= at + expires * 1000) throw new SqsError("RequestExpired", "Request has expired.");
  } else if (at < now - LIMITS.signatureMs) {
    throw mismatch(
      `Signature expired: ${time} is now earlier than ${limit(now - LIMITS.signatureMs)} - ${minutes} min.)`,
    );
  }
}

/** S5 */
function checkAllSigned({ headers }: SignedRequest, signed: readonly string[]): void {
  const unsigned = Object.keys(headers).filter(
    (name) => name.startsWith("x-amz-") && name !== NOT_THE_CLIENTS && !signed.includes(name),
  );
  if (unsigned.length > 0)
    throw new SqsError(
      "AccessDenied",
      `There were headers present in the request which were not signed: ${unsigned.join(", ")}`,
    );
}

function scopeOf({
  credential,
  time,
}: Raw): Pick<Claim, "accessKeyId" | "date" | "region" | "service"> {
  const parts = credential.split("/");
  const [accessKeyId = "", date = "", region = "", service = "", terminator = ""] = parts;
  if (parts.length !== 5)
    throw incomplete(
      `Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '${credential}'`,
    );
  const day = time.slice(0, 8);
  const wrong = [
    ...(region === "" ? ["Credential should be scoped to a valid region, not ''."] : []),
    ...(service === SERVICE
      ? []
      : [`Credential should be scoped to correct service: '${SERVICE}'.`]),
    ...(terminator === TERMINATOR
      ? []
      : [
          `Credential should be scoped with a valid terminator: '${TERMINATOR}', not '${terminator}'.`,
        ]),
    ...(date === day
      ? []
      : [
          `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${date}' != '${day}', from '${time}'.`,
        ]),
  ];
  if (wrong.length > 0) throw mismatch(wrong.join(" "));
  return { accessKeyId, date, region, service };
}

const headerOf = ({ headers }: SignedRequest, name: string): string | undefined => headers[name];

/** `20150830T123600Z`; `undefined` for anything else, and for a day that there is not. */
function timeOf(text: string): number | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (parts === null) return undefined;
  const [, year, month, day, hour, minute, second] = parts.map(Number);
  const at = Date.UTC(year ?? 0, (month ?? 0) - 1, day, hour, minute, second);
  return basic(at) === text ? at : undefined;
}

const basic = (ms: number): string => new Date(ms).toISOString().replace(/[-:]|\.\d+/g, "");

const incomplete = (message: string): SqsError => new SqsError("IncompleteSignature", message);

const mismatch = (message: string): SqsError => new SqsError("SignatureDoesNotMatch", message);

const unsupported = (algorithm: string): SqsError =>
  incomplete(`Unsupported AWS 'algorithm': '${algorithm.slice(0, 40)}'.`);
