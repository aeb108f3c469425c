/**
 * The file that names services and holds their keys.
 *
 * F1  It is read only if nobody but its owner can, and written so.
 * F2  A profile's key goes to the profile's endpoint and to no other.
 */
import { chmodSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import * as v from "valibot";
import { UsageError } from "./usage-error.ts";

const url = v.pipe(
  v.string(),
  v.url("must be a URL"),
  v.regex(/^https?:/, "must be http or https"),
);
const profile = v.strictObject({ endpoint: url, apiKey: v.exactOptional(v.string()) });
const profiles = v.record(v.string(), profile);

export type Profiles = v.InferOutput<typeof profiles>;
export type Environment = Readonly<Record<string, string | undefined>>;

export interface Connection {
  readonly endpoint: string;
  readonly apiKey?: string;
}

export interface ConnectionFlags {
  readonly endpoint?: string;
  readonly apiKey?: string;
  readonly profile?: string;
}

export const EMBEDDED = "http://127.0.0.1:9324";
const OTHERS = 0o077;

export const profilesFile = (env: Environment): string =>
  env["LANEMQ_PROFILES"] ??
  join(env["XDG_CONFIG_HOME"] ?? join(homedir(), ".config"), "lanemq", "profiles.json");

/** Flags first, then the environment, then the profile. @throws UsageError */
export function connectionOf(flags: ConnectionFlags, env: Environment): Connection {
  const apiKey = flags.apiKey ?? nonEmpty(env["LANEMQ_API_KEY"]);
  const key = apiKey === undefined ? {} : { apiKey };
  const endpoint = flags.endpoint ?? nonEmpty(env["LANEMQ_ENDPOINT"]);
  const name = flags.profile ?? nonEmpty(env["LANEMQ_PROFILE"]);
  if (endpoint !== undefined) {
    if (flags.profile !== undefined && flags.endpoint !== undefined) {
      throw new UsageError("--endpoint and --profile both say where the service is: give one");
    }
    if (flags.profile === undefined) return { endpoint: validUrl(endpoint), ...key };
  }
  const file = profilesFile(env);
  const known = readProfiles(file);
  const found = known[name ?? "default"];
  if (found === undefined && name !== undefined) {
    throw new UsageError(`there is no profile "${name}" in ${file}`);
  }
  return { ...(found ?? { endpoint: EMBEDDED }), ...key };
}

/** @throws UsageError */
export function readProfiles(file: string): Profiles {
  let text: string;
  try {
    const { mode } = statSync(file);
    if (process.platform !== "win32" && (mode & OTHERS) !== 0) {
      throw new UsageError(`others may read ${file}, which holds keys: chmod 600 it`);
    }
    text = readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw error;
  }
  const result = v.safeParse(profiles, parsed(text, file));
  if (result.success) return result.output;
  const [issue] = result.issues;
  // Not what stands there: it may be a key.
  const where = v.getDotPath(issue) ?? "it";
  throw new UsageError(`${file} is not valid: see ${where}`);
}

/** Whole or not at all. */
export function writeProfiles(file: string, content: Profiles): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const next = `${file}.${process.pid}`;
  writeFileSync(next, `${JSON.stringify(content, undefined, 2)}\n`, { mode: 0o600 });
  chmodSync(next, 0o600);
  renameSync(next, file);
}

/** @throws UsageError */
export function validUrl(text: string): string {
  if (v.safeParse(url, text).success) return text;
  throw new UsageError(`"${text}" is not the URL of a service`);
}

function parsed(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(`${file} is not JSON`);
  }
}

const nonEmpty = (text: string | undefined): string | undefined => (text === "" ? undefined : text);
