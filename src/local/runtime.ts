/**
 * The embedded runtime: the storage, the service, a face per role behind the gateway, and what runs
 * by itself (the sweeper, and the janitor each minute).
 *
 * R1  A service that others can reach asks for a key.
 * R2  Closing goes from the outside in: requests, then what runs by itself, then the storage.
 */
import { randomUUID } from "node:crypto";
import { LRUCache } from "lru-cache";
import { LaneError } from "../core/errors.ts";
import { epochMs } from "../core/types.ts";
import { createFace } from "../http/face.ts";
import type { AuthMode } from "../http/authorise.ts";
import { OPENAPI } from "../http/openapi-document.ts";
import { ROUTES, type FaceName, type Role } from "../http/routes.ts";
import type { Service } from "../service/api.ts";
import { Bell } from "../service/bell.ts";
import type { Deps, ServiceEvent } from "../service/deps.ts";
import { createService } from "../service/service.ts";
import { sleep } from "../store/sleep.ts";
import { troubleOf } from "../service/trouble.ts";
import { createSqsFace } from "../sqs/face.ts";
import { SQS_ROUTES } from "../sqs/routes.ts";
import type { Store, StoreRequest } from "../store/port.ts";
import { after, createRandomBytes } from "./effects.ts";
import { isLoopbackHost } from "./gateway-guard.ts";
import { createGateway, type Face } from "./gateway.ts";
import { explainFolderError, LocalError } from "./local-error.ts";
import { openStorage, type Storage } from "./storage.ts";
import { runSweeper } from "./sweeper.ts";

type Log = (message: string, error: unknown) => void;

/** The functions of a deployment; each has its own policy there. */
type FunctionName = FaceName | "janitor";

export interface LocalOptions {
  /** 0: any that is free. */
  readonly port: number;
  readonly host: string;
  /** Data folder; absent: in memory. */
  readonly data?: string;
  readonly dynamodb?: string;
  readonly apiKey?: string;
  /** Nothing but the service runs on this thread: neither its clients nor anything that has to stay awake. */
  readonly ownsThread?: boolean;
  /** Drops the 60 s that a deleted name is kept back. */
  readonly relaxed?: boolean;
  /** Hears what each function asks of the storage; every function then has a service of its own. */
  readonly onRequest?: (from: FunctionName, request: StoreRequest) => void;
  readonly log?: Log;
  /** The storage is gone; nothing will be served any more. */
  readonly onFailure?: (error: LocalError) => void;
}

export interface Local {
  readonly url: string;
  /** As the admin function has it; for tests and tools in this process. */
  readonly service: Service;
  readonly runJanitor: () => Promise<void>;
  close(): Promise<void>;
}

/** Where SQS clients are told that they are. */
const SQS_PLACE = { account: "000000000000", region: "us-east-1" };
const JANITOR_EVERY_MS = 60_000;
const JANITOR_ROUND_MS = 50_000;
/** So that schedules of each second are fired each second; deployed, the janitor does it each minute. */
const FIRE_EVERY_MS = 1_000;
const FIRE_ROUND_MS = 20_000;
const MOVE_EVERY_MS = 1_000;
const MOVE_ROUND_MS = 60_000;
/** Clocks of processes that share an endpoint; one process has one clock. */
const SHARED_SKEW_MARGIN_MS = 1_000;
/** A full disk fails every write; it is said once in a while. */
const TROUBLE_EVERY_MS = 60_000;
/** What runs by itself stops at its next step; nothing is lost if it does not. */
const STOP_MS = 5_000;

/** @throws LocalError with a line for the person who started it. */
export async function startLocal(options: LocalOptions): Promise<Local> {
  const { host, apiKey } = options;
  const log = options.log ?? logToStderr;
  checkAccess(host, apiKey);
  const storage = await openStorage({
    ...pick(options, "data", "dynamodb", "apiKey", "onFailure", "ownsThread"),
    onTrouble: troubleLog(options, log),
    onRefusal: refusalLog(log),
  });
  const serviceOf = services(storage, options, log);
  const auth: AuthMode =
    apiKey === undefined ? { mode: "open" } : { mode: "admin-key", key: apiKey };
  const faceLog = {
    error: (message: string, { error }: Record<string, unknown>) => log(message, error),
  };
  const face = (role: Role): Face =>
    createFace({
      service: serviceOf(role),
      role,
      auth,
      log: faceLog,
      ...(role === "admin" ? { openapi: OPENAPI } : {}),
    });
  const gateway = createGateway({
    routes: [...ROUTES, ...SQS_ROUTES],
    faces: {
      send: face("send"),
      receive: face("receive"),
      ack: face("ack"),
      admin: face("admin"),
      sqs: createSqsFace({
        service: serviceOf("sqs"),
        auth,
        log: faceLog,
        relaxed: options.relaxed ?? false,
        now: () => epochMs(Date.now()),
        ...SQS_PLACE,
      }),
    },
    open: apiKey === undefined,
    onCall: (connection) => storage.callers.came(connection),
    now: Date.now,
    requestId: randomUUID,
    after,
    log,
  });
  let port: number;
  try {
    port = (await gateway.listen(options.port, host)).port;
  } catch (error) {
    await storage.close();
    throw error;
  }

  const stop = new AbortController();
  const janitor = serviceOf("janitor");
  const runJanitor = async (): Promise<void> => {
    await janitor.runJanitor(epochMs(Date.now() + JANITOR_ROUND_MS));
  };
  const fire = async (): Promise<void> => {
    await janitor.fireSchedules(epochMs(Date.now() + FIRE_ROUND_MS));
  };
  const move = async (): Promise<void> => {
    await janitor.runMoves(epochMs(Date.now() + MOVE_ROUND_MS), stop.signal);
  };
  const byItself = [
    every(JANITOR_EVERY_MS, runJanitor, "the janitor failed; it tries again in a minute"),
    every(FIRE_EVERY_MS, fire, "schedules could not be fired; that is tried again in a second"),
    every(MOVE_EVERY_MS, move, "move tasks could not go on; that is tried again in a second"),
  ].map((run) => run(log, stop.signal));
  if (storage.lacksTtl) {
    const { client, tables } = storage;
    const compact = (): Promise<void> => storage.compact();
    const store = storeOf(storage, options);
    const sweeper = { client, table: tables.lanes, store, now: Date.now, sleep, compact, log };
    byItself.push(runSweeper(sweeper, stop.signal));
  }
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await gateway.close();
    stop.abort();
    await Promise.race([Promise.all(byItself), sleepUnref(STOP_MS)]);
    await storage.close();
  };
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${port}`,
    service: serviceOf("admin"),
    runJanitor,
    close: () => (closing ??= close()),
  };
}

/**
 * One service for all: its caches, its group commit and its bell serve every face. Only where someone
 * wants to know which function asks for what, each has its own, as deployed.
 */
function services(
  storage: Storage,
  options: LocalOptions,
  log: Log,
): (name: FunctionName) => Service {
  const { onRequest, relaxed = false } = options;
  const bell = new Bell({ sleep });
  const onEvent = eventLog(log);
  const create = (name?: FunctionName): Service => {
    const deps: Deps = {
      store:
        onRequest && name
          ? storage.store((request) => onRequest(name, request))
          : storeOf(storage, options),
      clock: { now: () => epochMs(Date.now()) },
      sleep,
      gather: async () => storage.callers.gather(),
      random: Math.random,
      randomBytes: createRandomBytes(),
      skewMarginMs: storage.shared ? SHARED_SKEW_MARGIN_MS : 0,
      relaxed,
      onEvent,
      ...pick(storage, "secretBox"),
    };
    return createService(deps, bell);
  };
  if (onRequest === undefined) {
    const service = create();
    return () => service;
  }
  const made = new Map<FunctionName, Service>();
  return (name) => {
    const service = made.get(name) ?? create(name);
    made.set(name, service);
    return service;
  };
}

/** Group commit by item where one service is all that writes (I1 of the commits). */
function storeOf(storage: Storage, { onRequest }: LocalOptions): Store {
  const commits = onRequest === undefined ? storage.commits : undefined;
  return commits ?? storage.store();
}

/** R1 */
function checkAccess(host: string, apiKey: string | undefined): void {
  if (apiKey !== undefined && !/^\S{1,512}$/.test(apiKey))
    throw new LocalError("the API key has to be 1 to 512 characters without spaces");
  if (apiKey === undefined && !isLoopbackHost(host))
    throw new LocalError(
      `others could reach ${host}: listening there takes an API key (LANEMQ_API_KEY)`,
    );
}

/** LevelDB refuses every write after the first that failed, until it is opened again. */
function troubleLog({ data = "(in memory)" }: LocalOptions, log: Log): (message: string) => void {
  const seldom = saidSeldom(log);
  return (message) =>
    seldom(
      "the storage engine fails, and may have to be started again",
      explainFolderError(new Error(message), data),
    );
}

/** It is asked again and again, and nothing else of the item gets there. */
function refusalLog(log: Log): (reason: string) => void {
  const seldom = saidSeldom(log);
  return (reason) =>
    seldom(
      "the storage engine refuses a write, which stays in the journal",
      new LocalError(reason),
    );
}

/** What goes wrong beside the calls is tried again, and said once in a while for each that it is about. */
function eventLog(log: Log): (event: ServiceEvent) => void {
  const seldom = saidSeldom(log);
  return (event) => {
    const trouble = troubleOf(event);
    if (trouble === undefined) return;
    seldom([trouble.text, ...Object.values(trouble.about)].join(": "), trouble.error);
  };
}

function saidSeldom(log: Log): Log {
  const said = new LRUCache<string, true>({ max: 1_000, ttl: TROUBLE_EVERY_MS });
  return (message, error) => {
    if (said.has(message)) return;
    said.set(message, true);
    log(message, error);
  };
}

const every =
  (ms: number, run: () => Promise<void>, trouble: string) =>
  async (log: Log, signal: AbortSignal): Promise<void> => {
    await sleep(ms, signal);
    while (!signal.aborted) {
      await run().catch((error: unknown) => {
        if (!signal.aborted) log(trouble, error);
      });
      await sleep(ms, signal);
    }
  };

const sleepUnref = (ms: number): Promise<void> => new Promise((resolve) => void after(ms, resolve));

function pick<T extends object, K extends keyof T>(from: T, ...names: K[]): Pick<T, K> {
  return Object.fromEntries(
    names.flatMap((name) => (from[name] === undefined ? [] : [[name, from[name]]])),
  ) as Pick<T, K>;
}

function logToStderr(message: string, error: unknown): void {
  const isOurs =
    error instanceof LocalError || (error instanceof LaneError && error.code !== "internal");
  const detail = error instanceof Error && !isOurs ? error.stack : String(error);
  process.stderr.write(`${message}: ${detail}\n`);
}
