/**
 * What is really deployed: the bundles of a synthesis like that of `cdk deploy`. Hunts a dependency
 * that makes cold starts slow, a bundle that lacks what it needs, and wiring that only tests have.
 */
import { Validations } from "aws-cdk-lib";
import type { APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import { AwsSolutionsChecks } from "cdk-nag";
import { once } from "node:events";
import { readFileSync, statSync } from "node:fs";
import type { Server } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FUNCTION_NAMES, type FunctionName } from "../../lib/grants.ts";
import { LaneMqStack } from "../../lib/lanemq-stack.ts";
import { parseSettings } from "../../lib/settings.ts";
import { type Operation, ROUTES } from "../../src/http/routes.ts";
import { createDynamoDbClient } from "../../src/store/dynamodb-client.ts";
import { ensureTables } from "../../src/store/tables.ts";
import { TABLES } from "../engines/engine.ts";
import { type Kms, startKms } from "../engines/kms.ts";
import { eventOf, type Request } from "../http/face-fixture.ts";
import { jsonWish, signed } from "../sqs/signing.ts";
import { startLambdaProcess } from "./lambda-process.ts";
import { createApp, type Resource } from "./synth.ts";

const BUDGET_BYTES = 740 * 1024;
/** The functions that seal and open secrets bring KMS's client along. */
const BUDGET_BYTES_WITH_KMS = 800 * 1024;
const WITH_KMS: ReadonlySet<FunctionName> = new Set(["admin", "sqs"]);

const bundles = new Map<string, string>();
const bundleOf = (name: FunctionName): string => bundles.get(name) ?? "";

beforeAll(() => {
  // As the CLI has it: the template says where each bundle is.
  const app = createApp({ "aws:cdk:enable-asset-metadata": true });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  const stack = new LaneMqStack(app, "LaneMQ", { settings: parseSettings({}) });
  const assembly = app.synth();
  const { Resources } = assembly.getStackByName(stack.stackName).template as {
    Resources: Record<string, Resource & { Metadata: Record<string, string> }>;
  };
  for (const one of Object.values(Resources)) {
    if (one.Type !== "AWS::Lambda::Function") continue;
    const name = String(one.Properties["Description"]).replace("LaneMQ: ", "");
    bundles.set(name, join(assembly.directory, one.Metadata["aws:asset:path"] ?? "", "index.mjs"));
  }
});

const ENVIRONMENT = {
  AWS_REGION: "eu-west-1",
  AWS_ACCESS_KEY_ID: "local",
  AWS_SECRET_ACCESS_KEY: "local",
  LANEMQ_ACCOUNT: "000000000000",
  LANEMQ_CATALOG_TABLE: TABLES.catalog,
  LANEMQ_LANES_TABLE: TABLES.lanes,
  POWERTOOLS_SERVICE_NAME: "LaneMQ",
  POWERTOOLS_METRICS_NAMESPACE: "LaneMQ",
};

describe.each(FUNCTION_NAMES)("the bundle of %s", (name) => {
  it("stays within its budget, loads without node_modules and exports its handler", async () => {
    const { size } = statSync(bundleOf(name));
    const lambda = startLambdaProcess(ENVIRONMENT);
    const { ms, handler } = await lambda.load(bundleOf(name));
    lambda.close();
    console.log(`${name}: ${(size / 1024).toFixed(0)} KiB, imports in ${ms.toFixed(0)} ms`);
    expect(size).toBeLessThan(WITH_KMS.has(name) ? BUDGET_BYTES_WITH_KMS : BUDGET_BYTES);
    expect(handler).toBe("function");
  });

  it("holds neither the CDK nor a path of the machine that built it", () => {
    const code = readFileSync(bundleOf(name), "utf8");
    expect(code).not.toMatch(/aws-cdk-lib|AWS::Lambda/);
    expect(code).not.toContain(process.cwd());
  });
});

describe("the bundles together", () => {
  const dynalite = createRequire(import.meta.url)("dynalite") as (options: object) => Server;
  const server = dynalite({ createTableMs: 0 });
  let lambda: ReturnType<typeof startLambdaProcess> | undefined;
  let authorization = "";
  let accessKey = { accessKeyId: "", secretAccessKey: "" };
  let kms: Kms;

  beforeAll(async () => {
    kms = await startKms();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const client = createDynamoDbClient({
      endpoint,
      requestTimeoutMs: 5_000,
      credentials: { accessKeyId: "local", secretAccessKey: "local" },
    });
    await ensureTables(client, TABLES, async (ms) => delay(ms));
    client.destroy();
    lambda = startLambdaProcess({
      ...ENVIRONMENT,
      AWS_ENDPOINT_URL_DYNAMODB: endpoint,
      AWS_ENDPOINT_URL_KMS: kms.endpoint,
      LANEMQ_KMS_KEY: kms.keyId,
    });
  });

  afterAll(async () => {
    lambda?.close();
    server.close();
    server.closeAllConnections();
    await kms.close();
  });

  async function call(operation: Operation, request: Request = {}) {
    const role = ROUTES.find((route) => route.operation === operation)?.role ?? "admin";
    const event = eventOf(operation, { ...request, headers: { authorization } });
    const result = (await lambda?.invoke(
      bundleOf(role),
      event,
    )) as APIGatewayProxyStructuredResultV2;
    const body = JSON.parse(result.body ?? "null") as Record<string, unknown> | null;
    return { status: result.statusCode, body };
  }

  it("make a key, take a message, hand it out and forget it once it is acked", async () => {
    expect(await call("listQueues")).toMatchObject({ status: 401 });
    const scopes = [{ actions: ["send", "receive", "manage"], queues: "orders-*" }];
    const key = await call("createKey", {
      iam: "arn:aws:iam::1:user/a",
      body: { name: "k", scopes },
    });
    expect(key.status).toBe(201);
    authorization = `Bearer ${String(key.body?.["secret"])}`;
    accessKey = key.body as unknown as typeof accessKey;
    const queue = "orders-1";
    expect(await call("putQueue", { queue, body: {} })).toMatchObject({ status: 201 });
    expect(await call("putQueue", { queue: "other", body: {} })).toMatchObject({ status: 403 });
    expect(await call("send", { queue, body: { body: "hello" } })).toMatchObject({ status: 201 });
    const received = await call("receive", { queue, body: { max: 10 } });
    expect(received).toMatchObject({ status: 200, body: { messages: [{ body: "hello" }] } });
    const [message] = (received.body?.["messages"] ?? []) as { receipt: string }[];
    expect(await call("ack", { queue, body: { receipts: [message?.receipt] } })).toMatchObject({
      body: { results: [{ status: "done" }] },
    });
    await lambda?.invoke(bundleOf("janitor"), {});
    expect(await call("getQueue", { queue })).toMatchObject({
      body: { depth: { ready: 0, leased: 0, delayed: 0 } },
    });
  });

  it("serve who signs with the key's other half, and nobody else", async () => {
    const asked = async (secretAccessKey: string) => {
      const where = { region: "eu-west-1", service: "sqs", at: new Date() };
      const credentials = { accessKeyId: accessKey.accessKeyId, secretAccessKey };
      const { event } = await signed(jsonWish("NoSuchAction", {}), { ...credentials, ...where });
      return lambda?.invoke(bundleOf("sqs"), event);
    };
    const refused = { headers: { "x-amzn-query-error": "SignatureDoesNotMatch;Sender" } };
    expect(await asked("another")).toMatchObject(refused);
    expect(await asked(accessKey.secretAccessKey)).toMatchObject({
      headers: { "x-amzn-query-error": "InvalidAction;Sender" },
    });
    expect(kms.asked).toEqual(["Encrypt", "Decrypt"]);
  });

  it("answer for the service's health without a key, and for its document with one", async () => {
    const withKey = authorization;
    authorization = "";
    expect(await call("health")).toMatchObject({ status: 200, body: { status: "ok" } });
    expect(await call("openapi")).toMatchObject({ status: 401 });
    authorization = withKey;
    expect(await call("openapi")).toMatchObject({ status: 200, body: { openapi: "3.1.0" } });
  });
});
