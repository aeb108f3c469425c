/** Clients of other languages, as `npm run test:clients` has found or installed them. */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

export const CLIENTS_FILE = ".cache/clients/clients.json";

export type ForeignClients = Readonly<Record<string, ForeignClient>>;
type ForeignClient =
  { readonly command: readonly string[]; readonly version: string } | { readonly missing: string };

const found = existsSync(CLIENTS_FILE)
  ? (JSON.parse(readFileSync(CLIENTS_FILE, "utf8")) as ForeignClients)
  : {};

export interface Program {
  /** With its release, or with the reason why it is skipped. */
  readonly title: string;
  readonly isMissing: boolean;
  readonly command: readonly string[];
  /** @returns what it wrote; both streams are in the error if it fails. */
  readonly run: (
    args: readonly string[],
    env?: Readonly<Record<string, string>>,
  ) => Promise<Output>;
}

interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const LONGEST_MS = 280_000;

export function programOf(name: string): Program {
  const client = found[name] ?? { missing: "not installed (npm run test:clients)" };
  if ("missing" in client)
    return {
      title: `${name}: ${client.missing}: skipped`,
      isMissing: true,
      command: [],
      run: () => Promise.reject(new Error(client.missing)),
    };
  const [file = "", ...first] = client.command;
  return {
    title: client.version,
    isMissing: false,
    command: client.command,
    run: (args, env = {}) =>
      new Promise((resolve) => {
        const options = {
          env: { ...process.env, ...env },
          timeout: LONGEST_MS,
          maxBuffer: 2 ** 26,
        };
        execFile(file, [...first, ...args], options, (error, stdout, stderr) => {
          const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
          resolve({ code, stdout, stderr });
        });
      }),
  };
}
