/**
 * The servers under load, each a process of its own, built as `npm start` builds them, with its data
 * in a folder that goes with it.
 */
import { spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";

export interface Served {
  readonly url: string;
  readonly pid: number;
  /** The most memory that the process has held so far, in MB; undefined where the system does not say. */
  readonly peakMegabytes: () => number | undefined;
  /** What it holds now. */
  readonly residentMegabytes: () => number | undefined;
  /** Where its data stands. */
  readonly folder: string;
  /** Processor time of all its threads so far. */
  readonly cpuMs: () => number | undefined;
  /** Ends it cleanly; a folder of its own goes with it. */
  readonly close: () => Promise<void>;
  /** Ends it as a crash does. */
  readonly kill: () => Promise<void>;
}

const CLOCK_TICK_MS = 10;
const OUT = ".bench/built";

/** The servers and what each is started with, apart from its folder. */
const SERVERS = {
  lanes: (folder: string) => [`${OUT}/main.js`, "--port", "0", "--data", folder],
  naive: (folder: string) => [`${OUT}/naive-main.js`, folder],
  /** An emulator of SQS that keeps all in memory. */
  fauxqs: () => [`${OUT}/fauxqs-main.js`],
};
export type ServerName = keyof typeof SERVERS;

/** Built, started, and ended whatever happens. */
export async function withServers<T>(
  names: readonly ServerName[],
  measure: (...servers: Served[]) => Promise<T>,
): Promise<T> {
  await buildServers();
  const servers: Served[] = [];
  try {
    for (const name of names) servers.push(await serve(name));
    return await measure(...servers);
  } finally {
    await Promise.all(servers.map((server) => server.close()));
  }
}

/** Once, before anything is served. */
export async function buildServers(): Promise<void> {
  await build({
    entryPoints: [
      "src/local/main.ts",
      "src/local/engine-worker.ts",
      "bench/naive-main.ts",
      "bench/fauxqs-main.ts",
    ],
    outdir: OUT,
    entryNames: "[name]",
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    packages: "external",
    logLevel: "warning",
  });
}

export interface ServeOptions {
  /** A folder that stays. */
  readonly data?: string;
  /** How many times faster than the machine's its clock runs; what it sleeps stays as long. */
  readonly speed?: number;
}

export async function serve(
  which: ServerName,
  { data, speed = 1 }: ServeOptions = {},
): Promise<Served> {
  const folder = data ?? (await mkdtemp(join(tmpdir(), "lanemq-bench-")));
  const args = SERVERS[which](folder);
  // What the bench itself was started with (a loader) is not for the server; a profiler may be.
  const { NODE_OPTIONS: _, ...env } = process.env;
  const flags = process.env["LANEMQ_BENCH_NODE_FLAGS"]?.split(" ") ?? [];
  if (speed !== 1) flags.push("--import", fasterClock(speed));
  const child = spawn(process.execPath, [...flags, ...args], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  // However the bench ends, the server does not outlive it.
  const abandon = (): void => {
    child.kill("SIGKILL");
    if (data === undefined) rmSync(folder, { recursive: true, force: true });
  };
  process.once("exit", abandon);
  const url = await new Promise<string>((resolve, reject) => {
    let said = "";
    child.stdout.on("data", (text: Buffer) => {
      said += text.toString();
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(said);
      if (found !== null) resolve(found[0]);
    });
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`the server ended with code ${code}`)));
  });
  const pid = child.pid ?? 0;
  const megabytes = (name: "VmHWM" | "VmRSS"): number | undefined => {
    const file = `/proc/${pid}/status`;
    if (!existsSync(file)) return undefined;
    const kilobytes = new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync(file, "utf8"))?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) / 1024;
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    await exited;
    process.off("exit", abandon);
  };
  return {
    url,
    pid,
    folder,
    peakMegabytes: () => megabytes("VmHWM"),
    residentMegabytes: () => megabytes("VmRSS"),
    cpuMs() {
      const file = `/proc/${pid}/stat`;
      if (!existsSync(file)) return undefined;
      // The name of the process, in brackets, may hold spaces; what counts comes after it.
      const [, fields = ""] = readFileSync(file, "utf8").split(") ");
      const [user, system] = fields.split(" ").slice(11, 13).map(Number);
      return ((user ?? 0) + (system ?? 0)) * CLOCK_TICK_MS;
    },
    async close() {
      await end("SIGTERM");
      if (data === undefined) await rm(folder, { recursive: true, force: true });
    },
    kill: () => end("SIGKILL"),
  };
}

const fasterClock = (speed: number): string =>
  `data:text/javascript,${encodeURIComponent(
    `const { now } = Date; const start = now(); Date.now = () => Math.floor(start + (now() - start) * ${speed});`,
  )}`;
