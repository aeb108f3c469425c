/**
 * The embedded engine: dynalite in a worker thread. Nobody but this process can reach it.
 *
 * One process owns a data folder: LevelDB holds a lock on it, and a second process is refused.
 * Writes are handed to the operating system before they are answered: they outlive this process,
 * however it ends, but not a power failure within the seconds before the system's own flush.
 */
import { mkdir, statfs } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { EnginePort, SYNC } from "./engine-port.ts";
import type { EngineAnswer, EngineCall } from "./engine-port.ts";
import { explainFolderError, LocalError } from "./local-error.ts";

export interface EngineOptions {
  /** Where the data stands; absent: in memory. */
  readonly data?: string;
  /** The engine is gone and cannot come back; the process should end. */
  readonly onFailure?: (error: LocalError) => void;
  /** The engine could not do what it was asked, and goes on. */
  readonly onTrouble?: (message: string) => void;
}

export interface Engine {
  /** Somebody waits for it. */
  readonly isAsked: boolean;
  /** @throws Error when the engine is gone, before it has answered. */
  call(call: EngineCall): Promise<EngineAnswer>;
  /** Side by side; answers in their order. @throws Error as `call` does. */
  callAll(calls: readonly EngineCall[]): Promise<readonly EngineAnswer[]>;
  /** Brings all that it has taken down to the disk; false: it could not. */
  sync(): Promise<boolean>;
  /** Gives the space of deleted items back to the disk. */
  compact(): Promise<void>;
  close(): Promise<void>;
}

export interface EngineSettings {
  readonly folder?: string;
}
export type EngineRequest =
  | { readonly ask: "calls"; readonly id: number; readonly calls: readonly EngineCall[] }
  | { readonly ask: "compact" }
  | { readonly ask: "close" };
export type EngineReport =
  | { readonly is: "answers"; readonly id: number; readonly answers: readonly EngineAnswer[] }
  | { readonly is: "open" | "compacted" }
  | { readonly is: "refused"; readonly error: unknown }
  | { readonly is: "trouble"; readonly message: string };

/** Below this, LevelDB might not even manage to write what it needs in order to open. */
const FREE_BYTES_MIN = 16 * 1024 * 1024;
/** A leak must not take the machine down; in memory the data itself is in this heap. */
const DISK_HEAP_MB = 256;

/** @throws LocalError when the data folder cannot be used. */
export async function startEngine(options: EngineOptions = {}): Promise<Engine> {
  const { data } = options;
  const folder = data === undefined ? undefined : await prepareFolder(data);
  const worker = startWorker(folder === undefined ? {} : { folder });
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  const ask = (request: EngineRequest): void => worker.postMessage(request);
  const port = new EnginePort((id, calls) => ask({ ask: "calls", id, calls }));
  let state: "starting" | "open" | "closing" = "starting";
  let compacted: (() => void)[] = [];

  const gone = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
  try {
    await new Promise<void>((resolve, reject) => {
      worker.on("message", (report: EngineReport) => {
        if (report.is === "answers") port.answered(report.id, report.answers);
        else if (report.is === "open") resolve();
        else if (report.is === "refused")
          reject(explainFolderError(report.error, data ?? "(in memory)"));
        else if (report.is === "trouble") options.onTrouble?.(report.message);
        else if (report.is === "compacted") {
          for (const done of compacted) done();
          compacted = [];
        }
      });
      const failed = (reason: string, cause?: unknown): void => {
        const error = new LocalError(`the storage engine stopped: ${reason}`, cause);
        reject(error);
        port.end(error);
        for (const done of compacted) done();
        if (state === "open") options.onFailure?.(error);
        if (state !== "closing") state = "closing";
      };
      worker.once("error", (error: Error) => failed(error.message, error));
      worker.once("exit", (code) => failed(`its thread ended with code ${code}`));
    });
  } catch (error) {
    state = "closing";
    await worker.terminate();
    throw error;
  }
  state = "open";

  return {
    get isAsked() {
      return port.isAsked;
    },
    call: (call) => port.call(call),
    callAll: (calls) => port.callAll(calls),
    sync: () =>
      port.call(SYNC).then(
        ({ status }) => status === 200,
        () => false,
      ),
    async compact() {
      if (state !== "open") return;
      const done = new Promise<void>((resolve) => compacted.push(resolve));
      ask({ ask: "compact" });
      await done;
    },
    async close() {
      if (state === "open") {
        state = "closing";
        port.refuse(new LocalError("the storage engine is closing"));
        ask({ ask: "close" });
      }
      await gone;
    },
  };
}

/** Built, the worker stands beside this module as JavaScript; from source, tsx has to read it. */
function startWorker(settings: EngineSettings): Worker {
  const limits =
    settings.folder === undefined
      ? {}
      : { resourceLimits: { maxOldGenerationSizeMb: DISK_HEAP_MB } };
  if (!import.meta.url.endsWith(".ts"))
    return new Worker(new URL("./engine-worker.js", import.meta.url), {
      workerData: settings,
      ...limits,
    });
  const tsxPackage = createRequire(import.meta.url).resolve("tsx/package.json");
  const tsx = new URL("./dist/esm/api/index.mjs", pathToFileURL(tsxPackage)).href;
  const source = new URL("./engine-worker.ts", import.meta.url).href;
  const bootstrap = `import(${JSON.stringify(tsx)}).then(({ register }) => { register(); return import(${JSON.stringify(source)}); })`;
  return new Worker(bootstrap, { eval: true, workerData: settings, ...limits });
}

async function prepareFolder(data: string): Promise<string> {
  try {
    const folder = join(data, "db");
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const disk = await statfs(folder);
    if (disk.bavail * disk.bsize < FREE_BYTES_MIN)
      throw Object.assign(new Error("no space left"), { code: "ENOSPC" });
    return folder;
  } catch (error) {
    throw explainFolderError(error, data);
  }
}
