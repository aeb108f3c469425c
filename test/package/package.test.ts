/**
 * The package as somebody installs it: packed, unpacked into another project, and used there. Hunts:
 * files that are missing or too many, types that do not hold, a construct that needs this repository.
 */
import { execFile, execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FUNCTION_NAMES } from "../../lib/grants.ts";
import type { Local } from "../../src/local/runtime.ts";
import { start } from "../e2e/local-service.ts";
import type { Resource } from "../cdk/synth.ts";

const ROOT = join(import.meta.dirname, "../..");
const run = promisify(execFile);

/** Below the repository, so that what the package depends on is found there without a network. */
let project: string;
let packed: string[];
let local: Local;

beforeAll(async () => {
  mkdirSync(join(ROOT, ".cache"), { recursive: true });
  project = mkdtempSync(join(ROOT, ".cache", "consumer-"));
  const output = execFileSync(
    "npm",
    ["pack", "--json", "--silent", "--pack-destination", project],
    {
      cwd: ROOT,
      encoding: "utf8",
      shell: process.platform === "win32",
    },
  );
  const answer = JSON.parse(output.slice(output.search(/^[[{]/m))) as unknown;
  const [report] = Object.values(answer as Record<string, PackReport>);
  packed = (report?.files ?? []).map(({ path }) => path);
  const target = join(project, "node_modules", "lanemq");
  mkdirSync(target, { recursive: true });
  execFileSync("tar", ["-xzf", report?.filename ?? "", "-C", target, "--strip-components=1"], {
    cwd: project,
  });
  write("package.json", '{ "type": "module", "private": true }');
  local = await start();
});
afterAll(async () => {
  await local.close();
  rmSync(project, { recursive: true, force: true });
});

interface PackReport {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

const write = (name: string, text: string): void => writeFileSync(join(project, name), text);

const node = (...args: string[]) =>
  run(process.execPath, args, {
    cwd: project,
    env: { ...process.env, LANEMQ_ENDPOINT: local.url },
  });

test("it holds what its entries need, and nothing else", () => {
  const parts = packed.map((path) =>
    path.replace(/-[A-Z0-9]{8}\.js$/, "-HASH.js").replace(/^dist\/types\/.*/, "dist/types/…"),
  );
  expect([...new Set(parts)].toSorted()).toEqual(
    [
      "LICENSE",
      "README.md",
      "cdk.json",
      "dist/cdk/app.js",
      ...FUNCTION_NAMES.map((name) => `dist/cdk/functions/${name}/index.mjs`),
      "dist/cdk/index.js",
      "dist/chunk-HASH.js",
      "dist/client/index.js",
      "dist/engine-worker.js",
      "dist/lanemq.js",
      "dist/runtime-HASH.js",
      "dist/types/…",
      "package.json",
    ].toSorted(),
  );
});

test("it holds no path of the machine that built it", () => {
  const files = packed.map((path) => join(project, "node_modules", "lanemq", path));
  expect(files.filter((file) => readFileSync(file, "utf8").includes(ROOT))).toEqual([]);
});

test("whoever wants the client alone needs neither the CDK nor OpenTelemetry", () => {
  const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    readonly dependencies: Record<string, string>;
    readonly peerDependencies: Record<string, string>;
    readonly peerDependenciesMeta: Record<string, { optional: boolean }>;
  };
  for (const name of Object.keys(manifest.peerDependencies)) {
    expect(manifest.peerDependenciesMeta[name]?.optional).toBe(true);
    expect(manifest.dependencies).not.toHaveProperty(name);
  }
});

test("the client works in plain JavaScript", async () => {
  write(
    "client.mjs",
    `import { LaneMQ } from "lanemq";
     const queue = new LaneMQ({ endpoint: process.env.LANEMQ_ENDPOINT }).queue("packed");
     await queue.create();
     await queue.send({ n: 1 });
     const [message] = await queue.receive();
     await queue.ack(message);
     console.log(JSON.stringify(message.body));`,
  );
  expect((await node("client.mjs")).stdout).toBe('{"n":1}\n');
});

describe("its types", () => {
  const check = (name: string, options: object) => {
    write(`${name}.json`, JSON.stringify({ compilerOptions: options, files: [`${name}.ts`] }));
    return node(join(ROOT, "node_modules/typescript/bin/tsc"), "-p", `${name}.json`);
  };
  const strict = { strict: true, noEmit: true, target: "ES2022", skipLibCheck: false };

  test.each([
    ["Node's resolution", { module: "NodeNext", types: ["node"] }],
    [
      "a browser's bundler",
      { module: "ESNext", moduleResolution: "bundler", lib: ["ES2022", "DOM"], types: [] },
    ],
  ])("hold with %s, checked to the ground", async (_what, options) => {
    write(
      "typed.ts",
      `import { LaneMQ, worker } from "lanemq";
       import type { Message, QueueSettings } from "lanemq";
       const lanemq = new LaneMQ({ endpoint: "http://x", apiKey: "k" });
       const queue = lanemq.queue<{ n: number }>("q");
       const settings: QueueSettings = { leaseSeconds: 5 };
       void queue.create(settings);
       void queue.send({ n: 1 });
       // @ts-expect-error -- n is a number
       void queue.send({ n: "1" });
       void queue.receive().then(([m]: Message<{ n: number }>[]) => m?.body.n.toFixed());
       void worker(queue, ({ body }) => body.n).done;
       // @ts-expect-error -- there is no such setting
       void queue.update({ leaseSecond: 5 });`,
    );
    await expect(check("typed", { ...strict, ...options })).resolves.toBeDefined();
  });

  test("of the construct hold", async () => {
    write(
      "construct.ts",
      `import { App, Stack } from "aws-cdk-lib";
       import { LaneMQ, type LaneMQProps } from "lanemq/cdk";
       const props: LaneMQProps = { throttle: { rate: 5 } };
       const endpoint: string = new LaneMQ(new Stack(new App(), "S"), "Q", props).endpoint;
       // @ts-expect-error -- there is no such prop
       new LaneMQ(new Stack(new App(), "T"), "Q", { throttles: 5 }); void endpoint;`,
    );
    const options = { ...strict, skipLibCheck: true, module: "NodeNext", types: ["node"] };
    await expect(check("construct", options)).resolves.toBeDefined();
  });
});

describe("its construct, in another application", () => {
  let template: { readonly Resources: Record<string, Resource> };
  let out: string;

  beforeAll(async () => {
    out = join(project, "cdk.out");
    write(
      "app.mjs",
      `import { App, RemovalPolicy, Stack } from "aws-cdk-lib";
       import { Certificate } from "aws-cdk-lib/aws-certificatemanager";
       import { Topic } from "aws-cdk-lib/aws-sns";
       import { LaneMQ } from "lanemq/cdk";
       const app = new App({ outdir: ${JSON.stringify(out)}, analyticsReporting: false });
       const stack = new Stack(app, "Shop");
       const certificate = Certificate.fromCertificateArn(stack, "Certificate",
         "arn:aws:acm:eu-west-1:111111111111:certificate/a");
       const lanes = new LaneMQ(stack, "Lanes", {
         domain: { name: "lanes.example.com", certificate },
         removalPolicy: RemovalPolicy.DESTROY,
         throttle: { rate: 50, burst: 60 },
         alarmsTopic: new Topic(stack, "Alarms"),
       });
       new LaneMQ(stack, "More", { alarms: false, dashboard: false });
       if (lanes.endpoint !== "https://lanes.example.com") throw new Error(lanes.endpoint);
       if (lanes.domainTarget === undefined) throw new Error("no target");
       app.synth();`,
    );
    await node("app.mjs");
    template = JSON.parse(readFileSync(join(out, "Shop.template.json"), "utf8")) as typeof template;
  });

  const ofType = (type: string): Resource[] =>
    Object.values(template.Resources).filter(({ Type }) => Type === type);

  test("has the functions, with the bundles of the package", () => {
    const functions = ofType("AWS::Lambda::Function");
    expect(functions.length).toBe(2 * FUNCTION_NAMES.length);
    expect(new Set(functions.map(({ Properties }) => Properties["Handler"]))).toEqual(
      new Set(["index.handler"]),
    );
    const assets = readdirSync(out).filter((name) => name.startsWith("asset."));
    const contents = assets.map((asset) => readdirSync(join(out, asset)));
    expect(contents).toEqual(Array.from({ length: FUNCTION_NAMES.length }, () => ["index.mjs"]));
    const sizes = assets.map((asset) => statSync(join(out, asset, "index.mjs")).size);
    expect(Math.min(...sizes)).toBeGreaterThan(100_000);
  });

  test("does what its props say", () => {
    const tables = ofType("AWS::DynamoDB::GlobalTable");
    expect(tables.map((table) => table.DeletionPolicy ?? "").toSorted()).toEqual([
      "Delete",
      "Delete",
      "Retain",
      "Retain",
    ]);
    expect(ofType("AWS::ApiGatewayV2::DomainName")[0]?.Properties).toMatchObject({
      DomainName: "lanes.example.com",
      DomainNameConfigurations: [{ SecurityPolicy: "TLS_1_2" }],
    });
    expect(ofType("AWS::ApiGatewayV2::ApiMapping").length).toBe(1);
    const throttles = ofType("AWS::ApiGatewayV2::Stage").map(
      ({ Properties }) => Properties["DefaultRouteSettings"],
    );
    expect(throttles).toContainEqual({ ThrottlingBurstLimit: 60, ThrottlingRateLimit: 50 });
    const alarms = ofType("AWS::CloudWatch::Alarm");
    expect(alarms.length).toBeGreaterThan(3);
    for (const { Properties } of alarms) {
      expect(JSON.stringify(Properties["AlarmActions"])).toContain("Alarms");
    }
  });

  test("keeps two services of one stack apart in their metrics", () => {
    const services = ofType("AWS::Lambda::Function").map(
      ({ Properties }) =>
        (Properties["Environment"] as { Variables: Record<string, unknown> }).Variables[
          "POWERTOOLS_SERVICE_NAME"
        ],
    );
    expect([...new Set(services.map(String))].toSorted()).toEqual(["Shop-Lanes", "Shop-More"]);
  });

  test("says which prop is out of range", async () => {
    write(
      "wrong.mjs",
      `import { App, Stack } from "aws-cdk-lib";
       import { LaneMQ } from "lanemq/cdk";
       new LaneMQ(new Stack(new App(), "S"), "Q", { receiveMemoryMb: 5 });`,
    );
    await expect(node("wrong.mjs")).rejects.toThrow("receiveMemoryMb");
  });
});

describe("its command", () => {
  const cli = (...args: string[]) => node("node_modules/lanemq/dist/lanemq.js", ...args);

  test("runs", async () => {
    expect((await cli("--version")).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    await cli("queue", "create", "by-command");
    expect((await cli("queue", "list", "--prefix", "by-")).stdout).toContain("by-command");
  });

  test("synthesizes what it would deploy, with settings", async () => {
    const args = ["deploy", "synth", "-c", "stackName=Mine", "-c", "alarms=false", "--", "--quiet"];
    await cli(...args, "--output", "synth.out");
    const text = readFileSync(join(project, "synth.out", "Mine.template.json"), "utf8");
    const { Resources } = JSON.parse(text) as { Resources: Record<string, Resource> };
    const types = Object.values(Resources).map(({ Type }) => Type);
    expect(types.filter((type) => type === "AWS::Lambda::Function").length).toBe(
      FUNCTION_NAMES.length,
    );
    expect(types).not.toContain("AWS::CloudWatch::Alarm");
  });
});
