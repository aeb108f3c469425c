/**
 * The worker thread of the embedded engine: dynalite on LevelDB (or in memory) behind a socket.
 *
 * E1  No request ends the engine: dynalite throws when a client hangs up, so it is only shown
 *     requests that have arrived whole; what it throws at once becomes an answer of status 500.
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
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createRequire } from "node:module";
import { parentPort, workerData } from "node:worker_threads";
import { Deletions } from "./deletions.ts";
import type { EngineReport, EngineRequest, EngineSettings } from "./engine.ts";

const MIB = 1024 * 1024;

/** LevelDB maps every table that it has open (64 is its least), so at most 64 MiB of them are resident. */
const LEVEL_OPTIONS = {
  maxOpenFiles: 74,
  maxFileSize: 1 * MIB,
  cacheSize: 8 * MIB,
  writeBufferSize: 8 * MIB,
};
const LARGE_READS_AT_ONCE = 4;

interface Closable {
  close(): Promise<void>;
  return?: () => Promise<void>;
}
interface Database {
  open(): Promise<void>;
  keys(options: unknown): Closable;
  values(options: unknown): Closable;
  compactRange?(from: string, to: string): Promise<void>;
  put(key: unknown, value: unknown): Promise<void>;
  del(key: unknown): Promise<void>;
}
type DatabaseClass = new (...args: unknown[]) => Database;
type Handler = (request: EventEmitter, response: ServerResponse) => void;

const settings = workerData as EngineSettings;
const port = parentPort;
if (port === null) throw new Error("the engine runs in a worker thread");
const report = (message: EngineReport): void => port.postMessage(message);

const load = createRequire(createRequire(import.meta.url).resolve("dynalite"));
let database: Database | undefined;
const deletions = new Deletions();

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
    override async put(key: unknown, value: unknown): Promise<void> {
      await super.put(key, value).catch(asAnswer);
    }
    override async del(key: unknown): Promise<void> {
      await super.del(key).catch(asAnswer);
      if (typeof key === "string") deletions.add(key);
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
  const message = error instanceof Error ? error.message : String(error);
  report({ is: "trouble", message });
  const body = internal("The storage engine could not write.");
  throw Object.assign(new Error(message), { statusCode: 500, body });
}

const internal = (message: string): object => ({
  __type: "com.amazonaws.dynamodb.v20120810#InternalServerError",
  message,
});

/** E1 */
function guard(server: Server): void {
  const handle = server.listeners("request")[0] as Handler;
  server.removeAllListeners("request");
  const queries = createGate(LARGE_READS_AT_ONCE);
  const scans = createGate(1);
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    request.on("error", () => {});
    response.on("error", () => {});
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const start = (): void => replay(handle, request, Buffer.concat(chunks), response);
      const target = request.headers["x-amz-target"]?.toString() ?? "";
      if (target.endsWith(".Query")) queries(response, start);
      else if (target.endsWith(".Scan")) scans(response, start);
      else start();
    });
  });
}

/** E4: lets so many requests through at once; the others wait in the order in which they came. */
function createGate(atOnce: number): (response: ServerResponse, start: () => void) => void {
  let underWay = 0;
  const waiting: (() => void)[] = [];
  const leave = (): void => {
    underWay -= 1;
    waiting.shift()?.();
  };
  return (response, start) => {
    const enter = (): void => {
      underWay += 1;
      response.once("close", leave);
      if (response.destroyed) response.emit("close");
      else start();
    };
    if (underWay < atOnce) enter();
    else waiting.push(enter);
  };
}

function replay(
  handle: Handler,
  request: IncomingMessage,
  body: Buffer,
  response: ServerResponse,
): void {
  const { headers, method, url } = request;
  const whole = Object.assign(new EventEmitter(), { headers, method, url });
  try {
    handle(whole, response);
    if (body.length > 0) whole.emit("data", body);
    whole.emit("end");
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    report({ is: "trouble", message });
    if (!response.headersSent) response.writeHead(500, { "content-type": "application/json" });
    response.end(JSON.stringify(internal("The storage engine failed.")));
  }
}

function start(): Server {
  const level = load("level") as { Level: DatabaseClass };
  const memory = load("memory-level") as { MemoryLevel: DatabaseClass };
  level.Level = guarded(level.Level, LEVEL_OPTIONS);
  memory.MemoryLevel = guarded(memory.MemoryLevel, {});
  const dynalite = load("dynalite") as (options: object) => Server;
  const { folder } = settings;
  const waits = { createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 };
  const server = dynalite(folder === undefined ? waits : { ...waits, path: folder });
  guard(server);
  return server;
}

const server = start();
server.keepAliveTimeout = 0;
try {
  await database?.open();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(settings.socketPath, resolve);
  });
  report({ is: "listening" });
} catch (error) {
  report({ is: "refused", error });
}

port.on("message", (message: EngineRequest) => {
  if (message.ask === "compact") {
    const done = (): void => report({ is: "compacted" });
    compact().then(done, done);
    return;
  }
  server.close(() => {
    report({ is: "closed" });
    port.close();
  });
  server.closeAllConnections();
});
