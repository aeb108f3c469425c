/**
 * Where the embedded service keeps its data: its own engine, on disk or in memory, or another
 * endpoint that speaks DynamoDB's protocol. Its tables exist and its format is known once it is open.
 */
import { join } from "node:path";
import { UpdateTimeToLiveCommand, type DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { LIMITS } from "../core/limits.ts";
import { createDynamoDbClient } from "../store/dynamodb-client.ts";
import { createDynamoDbStore } from "../store/dynamodb.ts";
import type { DynamoDbRequests } from "../store/dynamodb.ts";
import { checkFormat } from "../store/format.ts";
import type { Store, StoreRequest } from "../store/port.ts";
import { ensureTables } from "../store/tables.ts";
import { Callers } from "./callers.ts";
import { after } from "./effects.ts";
import { callOf, createEngineClient, refusalIn } from "./engine-client.ts";
import { engineHandler } from "./engine-port.ts";
import type { EngineCall } from "./engine-port.ts";
import { startEngine, type Engine, type EngineOptions } from "./engine.ts";
import { isLoopbackHost } from "./gateway-guard.ts";
import { createItemCommits } from "./item-commits.ts";
import { Journal } from "./journal.ts";
import { explainFolderError, LocalError } from "./local-error.ts";
import { createRest } from "./rest.ts";
import { openSecretBox } from "./secret-box.ts";
import { WriteBehind } from "./write-behind.ts";
import type { SecretBox } from "../service/secret-box.ts";
import { sleep } from "../store/sleep.ts";

export interface StorageOptions extends EngineOptions {
  /** Another endpoint than the embedded engine. */
  readonly dynamodb?: string;
  /** What secrets are sealed under at such an endpoint. */
  readonly apiKey?: string;
  /** Nothing but the service runs on this thread, so that it may sleep while it has nothing to do. */
  readonly ownsThread?: boolean;
  /** The engine refuses a write that its journal has: why, by type. */
  readonly onRefusal?: (reason: string) => void;
}

export interface Storage {
  readonly client: DynamoDBClient;
  readonly tables: { readonly catalog: string; readonly lanes: string };
  /** Whether expired items have to be swept. */
  readonly lacksTtl: boolean;
  /** Whether other processes can write there, too. */
  readonly shared: boolean;
  /** Who calls now. */
  readonly callers: Callers;
  /** Absent: API keys get no access keys. */
  readonly secretBox?: SecretBox;
  /** The engine's own requests. */
  store(onRequest?: (request: StoreRequest) => void): Store;
  /** For the one service that writes to it, where nobody else can: group commit by item. */
  readonly commits?: Store;
  compact(): Promise<void>;
  close(): Promise<void>;
}

const TABLES = { catalog: "lanemq-catalog", lanes: "lanemq-lanes" };
/** What an engine off AWS is shown where the environment has no credentials. */
const NO_CREDENTIALS = { accessKeyId: "local", secretAccessKey: "local" };

/** @throws LocalError when the storage cannot be used. */
export async function openStorage(options: StorageOptions): Promise<Storage> {
  const { dynamodb } = options;
  const engine = dynamodb === undefined ? await startEngine(options) : undefined;
  const onAws = dynamodb !== undefined && /\.amazonaws\.com(\.cn)?$/.test(hostOf(dynamodb));
  const client = engine === undefined ? clientOf(dynamodb ?? "") : engineClient(engine);
  const storeOver = (over: DynamoDbRequests, onRequest?: (request: StoreRequest) => void): Store =>
    createDynamoDbStore({
      client: over,
      tables: TABLES,
      sleep,
      random: Math.random,
      returnsFoundItem: onAws,
      ...(onRequest === undefined ? {} : { onRequest }),
    });
  const callers = new Callers({
    now: Date.now,
    after,
    soon: setImmediate,
    ...(engine === undefined || !options.ownsThread
      ? {}
      : { rest: createRest(() => engine.isAsked) }),
  });
  const behind = engine && (await writeBehind(engine, options));
  const storage: Storage = {
    client,
    tables: TABLES,
    lacksTtl: !onAws,
    shared: engine === undefined,
    callers,
    store: (onRequest) => storeOver(client, onRequest),
    ...(engine === undefined || behind === undefined
      ? {}
      : {
          commits: createItemCommits({
            store: storeOver(createEngineClient((call) => engine.call(call))),
            behind,
            timeoutMs: LIMITS.requestTimeoutMs,
            after,
            soon: setImmediate,
          }),
        }),
    compact: async () => engine?.compact(),
    async close() {
      await behind?.close();
      client.destroy();
      await engine?.close();
    },
  };
  try {
    await ensureTables(client, TABLES, sleep);
    if (onAws) await enableTtl(client);
    await checkFormat(storage.store());
    await behind?.recover();
    const secretBox = await openSecretBox(options);
    return secretBox === undefined ? storage : { ...storage, secretBox };
  } catch (error) {
    await storage.close();
    const what =
      dynamodb ?? (options.data === undefined ? "memory" : `data folder ${options.data}`);
    throw new LocalError(`cannot use ${what}: ${reasonOf(error)}`, error);
  }
}

function engineClient(engine: Engine): DynamoDBClient {
  const { requestTimeoutMs } = LIMITS;
  const handler = engineHandler((call) => engine.call(call), requestTimeoutMs);
  return createDynamoDbClient({ handler, requestTimeoutMs });
}

function clientOf(endpoint: string): DynamoDBClient {
  const invented = isLoopbackHost(hostOf(endpoint)) && process.env.AWS_ACCESS_KEY_ID === undefined;
  return createDynamoDbClient({
    endpoint,
    requestTimeoutMs: LIMITS.requestTimeoutMs,
    ...(process.env.AWS_REGION === undefined ? {} : { region: process.env.AWS_REGION }),
    ...(invented ? { credentials: NO_CREDENTIALS } : {}),
  });
}

function hostOf(url: string): string {
  try {
    const { protocol, hostname } = new URL(url);
    if (protocol === "http:" || protocol === "https:") return hostname;
  } catch {
    // Said below, with the URL.
  }
  throw new LocalError(`--dynamodb takes an http or https URL, not ${url}`);
}

async function enableTtl(client: DynamoDBClient): Promise<void> {
  const command = new UpdateTimeToLiveCommand({
    TableName: TABLES.lanes,
    TimeToLiveSpecification: { AttributeName: "ttl", Enabled: true },
  });
  await client.send(command).catch((error: unknown) => {
    // AWS refuses to enable it twice.
    if (!(error instanceof Error && /already enabled/.test(error.message))) throw error;
  });
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  return error.message === "" ? error.name : error.message;
}

async function writeBehind(
  engine: Engine,
  { data, onTrouble = () => {}, onRefusal = () => {} }: StorageOptions,
): Promise<WriteBehind> {
  let journal: Journal | undefined;
  try {
    if (data !== undefined) journal = new Journal(join(data, "journal"));
  } catch (error) {
    await engine.close();
    throw explainFolderError(error, data ?? "");
  }
  return new WriteBehind({
    journal,
    encode: (change) => lineOf(callOf(TABLES, change)),
    subject: (line) => subjectOf(callIn(line)),
    carry: async (lines) => {
      const answers = await engine.callAll(lines.map(callIn));
      for (const answer of answers) {
        const refusal = refusalIn(answer);
        if (refusal !== undefined) onRefusal(refusal);
      }
      return answers.map(({ status }) => status === 200);
    },
    sync: () => engine.sync(),
    after,
    onTrouble,
  });
}

const lineOf = ({ action, body }: EngineCall): string => `${action} ${body}`;

function callIn(line: string): EngineCall {
  const at = line.indexOf(" ");
  return { action: line.slice(0, at), body: line.slice(at + 1) };
}

/** The table and the key that a line is about, as one text. */
function subjectOf({ body }: EngineCall): string {
  const {
    TableName,
    Item,
    Key = Item,
  } = JSON.parse(body) as {
    TableName: string;
    Item?: { pk: unknown; sk: unknown };
    Key?: { pk: unknown; sk: unknown };
  };
  return JSON.stringify([TableName, Key?.pk, Key?.sk]);
}
