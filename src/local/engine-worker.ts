/**
 * The worker thread of the embedded engine: dynalite on LevelDB (or in memory), asked by messages.
 * It is shown each as the HTTP request that it takes, without a connection.
 *
 * E1  No request ends the engine: what dynalite throws at once becomes an answer of status 500.
 * E2  What LevelDB refuses (a full disk, say) is answered as InternalServerError, which says nothing
 *     about whether the write was applied.
 * E3  Every iterator is closed. dynalite forgets to, and each one that is left open holds a snapshot:
 *     memory would grow, and compaction could never give space back.
 * E4  Memory is bounded, whatever the backlog: few tables are mapped at once, and few large reads run
 *     side by side. Scans, which only the sweeper makes, one at a time, do not wait for queries.
 * E5  Compaction writes anew what stands around deletions, not the whole folder, so that its cost goes
 *     by what was deleted.
 */
import { EventEmitter } from "node:events";
import type { Server } from "node:http";
import { createRequire } from "node:module";
import { parentPort, workerData } from "node:worker_threads";
import { Deletions } from "./deletions.ts";
import { SYNC } from "./engine-port.ts";
import type { EngineAnswer, EngineCall } from "./engine-port.ts";
import type { EngineReport, EngineRequest, EngineSettings } from "./engine.ts";
import { ValueCache } from "./value-cache.ts";

const MIB = 1024 * 1024;

/** LevelDB maps every table that it has open (64 is its least), so at most 64 MiB of them are resident. */
const LEVEL_OPTIONS = {
  maxOpenFiles: 74,
  maxFileSize: 1 * MIB,
  cacheSize: 8 * MIB,
  writeBufferSize: 8 * MIB,
};
/** dynalite's values are JSON, which has been written already. */
const AS_IS = { valueEncoding: "utf8" };
const LARGE_READS_AT_ONCE = 4;
/** dynalite's keys begin with a letter. */
const NOTHING = "\u0000";

interface Closable {
  close(): Promise<void>;
  return?: () => Promise<void>;
}
interface Database {
  open(): Promise<void>;
  keys(options: unknown): Closable;
  values(options: unknown): Closable;
  close(): Promise<void>;
  compactRange?(from: string, to: string): Promise<void>;
  get(key: string): Promise<unknown>;
  put(key: string, value: unknown, options?: { valueEncoding: string }): Promise<void>;
  del(key: string, options?: { sync: boolean }): Promise<void>;
  sync?(): Promise<void>;
}
type DatabaseClass = new (...args: unknown[]) => Database;
/** As much of node's response as dynalite uses. */
interface Response {
  statusCode: number;
  setHeader(): void;
  end(body?: string): void;
}
type Handler = (request: EventEmitter, response: Response) => void;

const settings = workerData as EngineSettings;
const port = parentPort;
if (port === null) throw new Error("the engine runs in a worker thread");
const report = (message: EngineReport): void => port.postMessage(message);

const load = createRequire(createRequire(import.meta.url).resolve("dynalite"));
let database: Database | undefined;
const deletions = new Deletions();
const values = new ValueCache();

function guarded(Base: DatabaseClass, options: object): DatabaseClass {
  return class extends Base {
    constructor(...args: unknown[]) {
      super(...args.map((arg) => (typeof arg === "object" ? { ...arg, ...options } : arg)));
      // dynalite keeps the database to itself; it makes one.
      // oxlint-disable-next-line typescript/no-this-alias
      database = this;
    }
    override keys(options: unknown): Closable {
      return closing(super.keys(options));
    }
    override values(options: unknown): Closable {
      return closing(super.values(options));
    }
    override get(key: string): Promise<unknown> {
      return values.get(key, () => super.get(key));
    }
    override async put(key: string, value: unknown): Promise<void> {
      await values.put(key, value, (json) => super.put(key, json, AS_IS).catch(asAnswer));
    }
    override async del(key: string): Promise<void> {
      await values.delete(key, () => super.del(key).catch(asAnswer));
      deletions.add(key);
    }
    /** LevelDB syncs its log, and all that is in it, with a write that asks for it; here, of nothing. */
    override async sync(): Promise<void> {
      await super.del(NOTHING, { sync: true });
    }
  };
}

/** E3: dynalite's streams call `return` when they are destroyed, which LevelDB's iterators lack. */
function closing(iterator: Closable): Closable {
  iterator.return = () => iterator.close();
  return iterator;
}

async function compact(): Promise<void> {
  for (const [from, to] of deletions.take()) await database?.compactRange?.(from, to);
}

/** E2: an error with a status and a body is what dynalite answers with. The reason is not for callers. */
function asAnswer(error: unknown): never {
  const message = messageOf(error);
  report({ is: "trouble", message });
  const body = internal("The storage engine could not write.");
  throw Object.assign(new Error(message), { statusCode: 500, body });
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

const internal = (message: string): object => ({
  __type: "com.amazonaws.dynamodb.v20120810#InternalServerError",
  message,
});

const queries = createGate(LARGE_READS_AT_ONCE);
const scans = createGate(1);

async function sync(): Promise<EngineAnswer> {
  try {
    await database?.sync?.();
    return { status: 200, body: "" };
  } catch (error) {
    report({ is: "trouble", message: messageOf(error) });
    return { status: 500, body: "" };
  }
}

function serve(handle: Handler, call: EngineCall): Promise<EngineAnswer> {
  if (call.action === SYNC.action) return sync();
  const answer = (): Promise<EngineAnswer> =>
    new Promise((resolve) => show(handle, call, (status, body) => resolve({ status, body })));
  if (call.action === "Query") return queries(answer);
  return call.action === "Scan" ? scans(answer) : answer();
}

/** E4: lets so many run at once; the others wait in the order in which they came. */
function createGate(atOnce: number): <T>(run: () => Promise<T>) => Promise<T> {
  let underWay = 0;
  const waiting: (() => void)[] = [];
  return async (run) => {
    if (underWay === atOnce) await new Promise<void>((enter) => waiting.push(enter));
    else underWay += 1;
    try {
      return await run();
    } finally {
      const next = waiting.shift();
      if (next === undefined) underWay -= 1;
      else next();
    }
  };
}

/** It wants the form of a signature and never checks it. */
const HEADERS = {
  "content-type": "application/x-amz-json-1.0",
  "x-amz-date": "20200101T000000Z",
  authorization:
    "AWS4-HMAC-SHA256 Credential=local/20200101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=none",
};

/** E1 */
function show(
  handle: Handler,
  { action, body }: EngineCall,
  answer: (status: number, body: string) => void,
): void {
  const request = Object.assign(new EventEmitter(), {
    headers: { "x-amz-target": `DynamoDB_20120810.${action}`, ...HEADERS },
    method: "POST",
    url: "/",
  });
  const response: Response = {
    statusCode: 200,
    setHeader() {},
    end(text = "") {
      answer(this.statusCode, text);
    },
  };
  try {
    handle(request, response);
    request.emit("data", body);
    request.emit("end");
  } catch (error) {
    report({ is: "trouble", message: messageOf(error) });
    answer(500, JSON.stringify(internal("The storage engine failed.")));
  }
}

function start(): Handler {
  const level = load("level") as { Level: DatabaseClass };
  const memory = load("memory-level") as { MemoryLevel: DatabaseClass };
  level.Level = guarded(level.Level, LEVEL_OPTIONS);
  memory.MemoryLevel = guarded(memory.MemoryLevel, {});
  const dynalite = load("dynalite") as (options: object) => Server;
  const { folder } = settings;
  const waits = { createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 };
  const server = dynalite(folder === undefined ? waits : { ...waits, path: folder });
  return server.listeners("request")[0] as Handler;
}

const handle = start();
const underWay = new Set<Promise<void>>();

async function answer(id: number, calls: readonly EngineCall[]): Promise<void> {
  const answers = await Promise.all(calls.map((call) => serve(handle, call)));
  report({ is: "answers", id, answers });
}

async function close(): Promise<void> {
  await Promise.all(underWay);
  await database?.close();
  // LevelDB's own callback has to return before its thread may end, or the process dies with it.
  await new Promise((resolve) => setImmediate(resolve));
  port?.close();
}

port.on("message", (message: EngineRequest) => {
  switch (message.ask) {
    case "calls": {
      const work = answer(message.id, message.calls);
      underWay.add(work);
      void work.finally(() => underWay.delete(work));
      break;
    }
    case "compact": {
      const done = (): void => report({ is: "compacted" });
      compact().then(done, done);
      break;
    }
    case "close":
      void close();
      break;
    default:
      message satisfies never;
  }
});

try {
  await database?.open();
  report({ is: "open" });
} catch (error) {
  report({ is: "refused", error });
}
