/**
 * The deployed functions in this process: the handlers of `lambdas/`, each over a store of its own
 * that records what it asks DynamoDB for, all on one dynalite and one clock that tests set.
 */
import { randomBytes } from "node:crypto";
import type { APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import type { Server } from "node:http";
import { createRequire } from "node:module";
import { setImmediate as turn } from "node:timers/promises";
import { createApiHandler } from "../../lambdas/api-handler.ts";
import { createSqsHandler } from "../../lambdas/sqs-handler.ts";
import { createJanitorHandler } from "../../lambdas/janitor-handler.ts";
import type { World } from "../../lambdas/instance.ts";
import { FUNCTION_NAMES, type FunctionName } from "../../lib/grants.ts";
import { epochMs } from "../../src/core/types.ts";
import { OPENAPI } from "../../src/http/openapi-document.ts";
import { type Operation, type Role, ROUTES } from "../../src/http/routes.ts";
import { openSecretBox } from "../../src/local/secret-box.ts";
import type { SecretBox } from "../../src/service/secret-box.ts";
import { createDynamoDbStore } from "../../src/store/dynamodb.ts";
import type { Store, TableName } from "../../src/store/port.ts";
import { ensureTables } from "../../src/store/tables.ts";
import { freshSocketPath, TABLES } from "../engines/engine.ts";
import { socketClient } from "../engines/socket.ts";
import { Random } from "../sim/random.ts";
import { eventOf, type Request } from "../http/face-fixture.ts";
import { jsonWish, signed } from "../sqs/signing.ts";

export interface Deployed {
  /** Through the handler of the function that the route belongs to. */
  call(operation: Operation, request?: Request): Promise<Reply>;
  /** Through instances of their own, at once: they know nothing of each other. */
  crowd(operation: Operation, requests: readonly Request[]): Promise<Reply[]>;
  /** An action of SQS, in its JSON protocol. */
  sqs(action: string, input?: object): Promise<Reply>;
  /** What calls of SQS's actions are signed with from now on. */
  signWith(accessKey: { readonly accessKeyId: string; readonly secretAccessKey: string }): void;
  runJanitor(): Promise<void>;
  advance(ms: number): void;
  /** By function: what the service asked for, as `table:Action`. */
  readonly asked: ReadonlyMap<FunctionName, ReadonlySet<string>>;
  /** By function: what it did with the key of access keys, as KMS calls it. */
  readonly keyUses: ReadonlyMap<FunctionName, ReadonlySet<string>>;
  /** By function: what was sent, with the reads that only an engine like dynalite makes necessary. */
  readonly sent: ReadonlyMap<FunctionName, ReadonlySet<string>>;
  /** Instances with empty caches, as after a pause or an upgrade. */
  restart(): void;
  close(): Promise<void>;
}

interface Reply {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

const dynalite = createRequire(import.meta.url)("dynalite") as (options: object) => Server;

export async function deploy(): Promise<Deployed> {
  const socketPath = freshSocketPath();
  const server = dynalite({ createTableMs: 0 });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  const client = socketClient(socketPath);
  // The same choices in every run.
  const chance = new Random(20_260_101);
  const random = () => chance.bits() / 2 ** 32;
  let nowMs = Date.UTC(2026, 0, 1);
  const sleep = async (ms: number): Promise<void> => {
    nowMs += ms;
    await turn();
  };
  await ensureTables(client, TABLES, async () => turn());

  const perFunction = () => new Map(FUNCTION_NAMES.map((name) => [name, new Set<string>()]));
  const asked = perFunction();
  const sent = perFunction();
  const keyUses = perFunction();
  const box = await openSecretBox({});
  const worldOf = (name: FunctionName): World => ({
    store: recording(
      createDynamoDbStore({
        client,
        tables: TABLES,
        sleep,
        random,
        returnsFoundItem: false,
        onRequest: ({ table, action }) => sent.get(name)?.add(`${table}:${action}`),
      }),
      (table, action) => asked.get(name)?.add(`${table}:${action}`),
    ),
    clock: { now: () => epochMs(nowMs) },
    sleep,
    random,
    randomBytes,
    ...(box === undefined
      ? {}
      : { secretBox: noting(box, (action) => keyUses.get(name)?.add(action)) }),
  });
  const handlerOf = (role: Role) =>
    createApiHandler(role, role === "admin" ? { openapi: OPENAPI } : {}, worldOf(role));
  const start = () => ({
    send: handlerOf("send"),
    receive: handlerOf("receive"),
    ack: handlerOf("ack"),
    admin: handlerOf("admin"),
    sqs: createSqsHandler({}, { ...worldOf("sqs"), account: "000000000000", region: "us-east-1" }),
    janitor: createJanitorHandler(worldOf("janitor")),
  });
  let handlers = start();
  let accessKey = { accessKeyId: "", secretAccessKey: "" };
  const signedRequest = async (action: string, input: object = {}) => {
    const wish = jsonWish(action, input);
    const where = { region: "us-east-1", service: "sqs", at: new Date(nowMs) };
    return (await signed(wish, { ...accessKey, ...where })).event;
  };
  const ask = async (
    handler: ReturnType<typeof handlerOf>,
    operation: Operation,
    request: Request,
  ): Promise<Reply> => replyOf(await handler(eventOf(operation, request)));
  const replyOf = (result: APIGatewayProxyStructuredResultV2): Reply => {
    const encoding = result.isBase64Encoded === true ? "base64" : "utf8";
    const text = Buffer.from(result.body ?? "", encoding).toString("utf8");
    return {
      status: result.statusCode ?? 0,
      body: text === "" ? {} : (JSON.parse(text) as Record<string, unknown>),
    };
  };

  return {
    call: async (operation, request = {}) => ask(handlers[roleOf(operation)], operation, request),
    crowd: async (operation, requests) =>
      Promise.all(
        requests.map(async (request) => ask(handlerOf(roleOf(operation)), operation, request)),
      ),
    sqs: async (action, input) => replyOf(await handlers.sqs(await signedRequest(action, input))),
    signWith: (next) => {
      accessKey = next;
    },
    runJanitor: () => handlers.janitor({}, { getRemainingTimeInMillis: () => 58_000 }),
    advance: (ms) => {
      nowMs += ms;
    },
    asked,
    keyUses,
    sent,
    restart: () => {
      handlers = start();
    },
    async close() {
      client.destroy();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

function roleOf(operation: Operation): Role {
  const route = ROUTES.find((one) => one.operation === operation);
  if (route === undefined) throw new Error(`There is no route for ${operation}.`);
  return route.role;
}

/** The port as the service sees it, with every call noted by the IAM action it stands for. */
function recording(store: Store, note: (table: TableName, action: string) => void): Store {
  return {
    get: (table, ...rest) => (note(table, "GetItem"), store.get(table, ...rest)),
    query: (table, ...rest) => (note(table, "Query"), store.query(table, ...rest)),
    put: (table, ...rest) => (note(table, "PutItem"), store.put(table, ...rest)),
    update: (table, ...rest) => (note(table, "UpdateItem"), store.update(table, ...rest)),
    delete: (table, ...rest) => (note(table, "DeleteItem"), store.delete(table, ...rest)),
  };
}

/** Each use, by the IAM action that the KMS adapter needs for it. */
const noting = (box: SecretBox, note: (action: string) => void): SecretBox => ({
  seal: (...rest) => (note("Encrypt"), box.seal(...rest)),
  open: (...rest) => (note("Decrypt"), box.open(...rest)),
});
