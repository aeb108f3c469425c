/**
 * The command line as a process, as it is built, against the embedded service. Hunts: commands that do
 * something else than they say, exit codes that mislead scripts, keys on the screen.
 */
import { execFile, execFileSync, spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { LaneMQ } from "../../src/client/index.ts";
import type { Local } from "../../src/local/runtime.ts";
import { dataFolderUntil } from "./folders.ts";
import { newName, start } from "./local-service.ts";

const ROOT = join(import.meta.dirname, "../..");
const CLI = join(ROOT, "dist/lanemq.js");
const KEY = "the-admin-key";
const folder = dataFolderUntil(afterAll);
const posix = test.skipIf(process.platform === "win32");

let local: Local;
let lanemq: LaneMQ;
beforeAll(async () => {
  execFileSync("npm", ["run", "--silent", "build"], {
    cwd: ROOT,
    shell: process.platform === "win32",
  });
  local = await start({ apiKey: KEY });
  lanemq = new LaneMQ({ endpoint: local.url, apiKey: KEY });
});
afterAll(() => local.close());

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output as JSON, a line each. */
  readonly lines: () => Record<string, unknown>[];
}

interface Begun {
  readonly ended: Promise<Ended>;
  readonly output: () => string;
  readonly kill: (signal: NodeJS.Signals) => void;
}

type Env = Readonly<Record<string, string | undefined>>;

function begin(args: readonly string[], stdin?: string, env: Env = {}): Begun {
  const child = spawn(process.execPath, [CLI, ...args], {
    env: {
      ...process.env,
      LANEMQ_ENDPOINT: local.url,
      LANEMQ_API_KEY: KEY,
      LANEMQ_PROFILES: "/nowhere",
      ...env,
    },
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdin.end(stdin ?? "");
  const ended = new Promise<Ended>((resolve) =>
    child.once("close", (code) => {
      const lines = (): Record<string, unknown>[] =>
        stdout
          .split("\n")
          .filter((line) => line !== "")
          .map((line) => JSON.parse(line) as Record<string, unknown>);
      resolve({ code, stdout, stderr, lines });
    }),
  );
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    await ended;
  });
  return { ended, output: () => stdout + stderr, kill: (signal) => child.kill(signal) };
}

const run = (args: readonly string[], stdin?: string, env?: Env) => begin(args, stdin, env).ended;

test("queues are created, shown, changed, listed, purged and deleted", async () => {
  const dead = newName("cli-dead");
  const name = newName("cli");
  await run(["queue", "create", dead]);
  const settings = ["--lease-seconds", "7", "--max-receives", "2", "--dead-letter", dead];
  const more = ["--erase-on-ack", "--tags", '{"a":"1"}'];
  const made = await run(["queue", "create", name, ...settings, ...more]);
  expect(made.code).toBe(0);
  expect(made.lines()).toMatchObject([
    {
      name,
      settings: {
        leaseSeconds: 7,
        deadLetter: { queue: dead },
        eraseOnAck: true,
        tags: { a: "1" },
      },
    },
  ]);
  await run(["queue", "set", name, "--max-receives", "null", "--dead-letter", "null"]);
  const shown = await run(["queue", "show", name, "--no-json"]);
  expect(shown.stdout).toMatch(/^leaseSeconds +7$/m);
  expect(shown.stdout).toMatch(/^maxReceives +null$/m);
  const listed = await run(["queue", "list", "--prefix", "cli", "--depth"]);
  expect(listed.lines().map((line) => line["name"])).toEqual(expect.arrayContaining([name, dead]));
  await run(["send", name, "a"]);
  expect((await run(["queue", "purge", name])).lines()).toEqual([{ purged: name }]);
  expect((await run(["receive", name])).stdout).toBe("");
  expect((await run(["queue", "delete", name])).code).toBe(0);
  expect((await run(["queue", "show", name])).code).toBe(4);
});

describe("a message", () => {
  test("is sent from an argument, from JSON, from a file, from standard input", async () => {
    const name = newName("cli");
    await lanemq.queue(name).create();
    const file = join(await folder(), "bytes");
    await writeFile(file, Uint8Array.of(255, 0, 1));
    await run(["send", name, "text", "--header", "a=b=c"]);
    await run(["send", name, "--data", '{"n":1}']);
    await run(["send", name, "--file", file, "--content-type", "image/x"]);
    await run(["send", name], "from a pipe");
    const received = await run(["receive", name, "--max", "10", "--ack"]);
    expect(received.lines()).toMatchObject([
      { body: "text", headers: { a: "b=c" } },
      { body: { n: 1 } },
      { body: "/wAB", encoding: "base64", contentType: "image/x" },
      { body: "from a pipe" },
    ]);
    expect((await lanemq.queue(name).info()).depth).toEqual({ ready: 0, leased: 0, delayed: 0 });
  });

  test("of many is sent as NDJSON; what is wrong is named by its line, the others are sent", async () => {
    const name = newName("cli");
    await lanemq.queue(name).create({ maxMessageBytes: 50 });
    const lines = Array.from({ length: 300 }, (_, n) => JSON.stringify({ body: n }));
    lines[41] = JSON.stringify({ body: "x".repeat(51) });
    const { code, stdout, stderr } = await run(["send", name, "--ndjson"], `${lines.join("\n")}\n`);
    expect(JSON.parse(stdout)).toEqual({ sent: 299, failed: 1 });
    expect(stderr).toMatch(/^line 42: .*\(message-too-large\)$/m);
    expect(code).toBe(6);
    const broken = await run(["send", name, "--ndjson"], '{"body":1}\nnot JSON\n');
    expect(broken.stderr).toContain("line 2 is not JSON");
    expect(broken.code).toBe(2);
  });

  test("is looked at, given back and acked by its receipt", async () => {
    const name = newName("cli");
    await lanemq.queue(name).create();
    const { id } = await lanemq.queue(name).send("a");
    const received = await run(["receive", name]);
    const receipt = String(received.lines()[0]?.["receipt"]);
    expect((await run(["release", name, receipt])).lines()).toEqual([{ status: "done" }]);
    expect((await run(["peek", name])).lines()).toMatchObject([{ id, body: "a" }]);
    const again = await run(["receive", name]);
    expect((await run(["ack", name, String(again.lines()[0]?.["receipt"])])).code).toBe(0);
    expect((await run(["peek", name, id])).lines()).toMatchObject([
      { id, groups: { default: { state: "acked" } } },
    ]);
  });

  posix("is followed until Ctrl-C, bodies only", async () => {
    const name = newName("cli");
    await lanemq.queue(name).create();
    const following = begin(["receive", name, "--follow", "--ack", "--body"]);
    await lanemq.queue(name).send("first");
    await expect.poll(following.output, PATIENT).toContain("first\n");
    await lanemq.queue(name).send({ n: 2 });
    await expect.poll(following.output, PATIENT).toContain('{"n":2}\n');
    following.kill("SIGINT");
    expect(await following.ended).toMatchObject({ code: 0, stdout: 'first\n{"n":2}\n' });
  });
});

const PATIENT = { timeout: 30_000 };

describe("a worker", () => {
  posix("acks what exits with 0, gives back the rest, and stops cleanly", async () => {
    const name = newName("cli");
    const queue = lanemq.queue(name);
    await queue.create();
    await queue.sendBatch([{ body: "good", headers: { h: "1" } }, { body: "bad" }]);
    const command =
      'read -r x; echo "$x $LANEMQ_HEADERS ${LANEMQ_API_KEY-no key}"; [ "$x" = good ]';
    const working = begin(["worker", name, "--exec", command, "--no-json"]);
    await expect.poll(working.output, PATIENT).toContain("exit code 1, again in");
    await expect.poll(working.output, PATIENT).toContain("done");
    working.kill("SIGTERM");
    const { code, stdout } = await working.ended;
    expect(code).toBe(0);
    expect(stdout).toContain('good {"h":"1"} no key');
    const { depth } = await queue.info();
    expect(depth.ready + depth.delayed).toBe(1);
    expect(depth.leased).toBe(0);
  });

  test("on a queue that is not there ends at once", async () => {
    expect((await run(["worker", "none", "--exec", "true"])).code).toBe(4);
  });
});

test("dead letters are moved back", async () => {
  const dead = lanemq.queue(newName("cli-dead"));
  await dead.create();
  const queue = lanemq.queue(newName("cli"));
  await queue.create({ maxReceives: 1, deadLetter: { queue: dead.name } });
  await queue.sendBatch(Array.from({ length: 30 }, (_, body) => ({ body })));
  await queue.release(await queue.receive({ max: 100 }));
  await queue.receive({ max: 100 });
  expect((await run(["redrive", dead.name, "--max", "10"])).lines()).toEqual([
    { moved: 10, remaining: 20 },
  ]);
  const { stdout } = await run(["redrive", dead.name, "--no-json"]);
  expect(stdout).toBe("20 messages moved.\n");
});

test("a message is put off, listed and cancelled", async () => {
  const name = newName("cli");
  await lanemq.queue(name).create();
  const sent = await run(["send", name, "later", "--delay-seconds", "3600"]);
  const id = String(sent.lines()[0]?.["id"]);
  expect((await run(["scheduled", name])).lines()).toMatchObject([{ id, body: "later" }]);
  expect((await run(["cancel", name, id])).code).toBe(0);
  expect((await run(["scheduled", name, "--no-json"])).stdout).toBe(
    "Nothing waits on a schedule.\n",
  );
});

test("a recurring schedule is made, listed, shown, fires and is deleted", async () => {
  const queue = newName("cli");
  const name = newName("cli-schedule");
  await lanemq.queue(queue).create();
  const cron = ["--cron", "0 9 * * 1-5", "--time-zone", "Europe/Berlin", "--queue", queue];
  const made = await run(["schedule", "put", name, ...cron, "--data", '{"n":1}', "--key", "k"]);
  expect(made.lines()).toMatchObject([
    { name, cron: "0 9 * * 1-5", queue, message: { body: { n: 1 }, key: "k" } },
  ]);
  const listed = await run(["schedule", "list", "--no-json"]);
  expect(listed.stdout).toMatch(
    new RegExp(`^${name} +0 9 \\* \\* 1-5 Europe/Berlin +${queue}`, "m"),
  );
  const often = ["--every-seconds", "1", "--queue", queue, "--header", "a=b"];
  expect((await run(["schedule", "create", name, "ping", ...often])).code).toBe(0);
  expect((await run(["schedule", "show", name])).lines()).toMatchObject([{ everySeconds: 1 }]);
  const received = await run(["receive", queue, "--wait-seconds", "20"]);
  expect(received.lines()).toMatchObject([{ body: "ping", headers: { a: "b" } }]);
  expect((await run(["schedule", "delete", name])).lines()).toEqual([{ deleted: name }]);
  expect((await run(["schedule", "show", name])).code).toBe(4);
});

test("exchanges are made, bound, published to, shown and deleted", async () => {
  const queue = newName("cli");
  const exchange = newName("cli-exchange");
  await lanemq.queue(queue).create();
  await run(["exchange", "create", exchange, "--type", "topic"]);
  await run(["exchange", "bind", exchange, "all", "--queue", queue, "--routing-key", "order.#"]);
  const published = await run(["publish", exchange, "hi", "--routing-key", "order.placed"]);
  expect(published.lines()).toMatchObject([{ queues: [queue] }]);
  const shown = await run(["exchange", "show", exchange, "--no-json"]);
  expect(shown.stdout).toMatch(new RegExp(`^all +${queue} +routingKey order\\.#`, "m"));
  expect((await run(["exchange", "list", "--prefix", exchange])).lines().length).toBe(1);
  expect((await run(["receive", queue, "--body"])).stdout).toBe("hi\n");
  await run(["exchange", "unbind", exchange, "all"]);
  expect((await run(["publish", exchange, "hi"])).lines()).toEqual([{ queues: [] }]);
  expect((await run(["exchange", "delete", exchange])).code).toBe(0);
});

test("groups are made, received by, listed and deleted", async () => {
  const name = newName("cli");
  await lanemq.queue(name).create();
  await run(["send", name, "a"]);
  await run(["group", "create", name, "audit", "--from", "earliest"]);
  expect((await run(["receive", name, "--ack"])).lines()).toMatchObject([{ body: "a" }]);
  const listed = await run(["group", "list", name, "--no-json"]);
  expect(listed.stdout).toMatch(/^audit +1 +0 +0/m);
  expect((await run(["receive", name, "--group", "audit"])).lines()).toMatchObject([{ body: "a" }]);
  const again = await run(["seek", name, "--from", "earliest"]);
  expect([again.code, again.stderr]).toEqual([0, ""]);
  expect((await run(["receive", name, "--ack"])).lines()).toMatchObject([{ body: "a" }]);
  const late = new Date().toISOString();
  expect((await run(["seek", name, "audit", "--from", late])).code).toBe(0);
  expect((await run(["receive", name, "--group", "audit"])).lines()).toEqual([]);
  expect((await run(["seek", name, "audit", "--from", "nowhere"])).code).not.toBe(0);
  expect((await run(["group", "delete", name, "audit"])).code).toBe(0);
});

test("keys are made, listed without their secrets, and revoked", async () => {
  const made = await run(["keys", "create", "shop", "--allow", "send", "--queues", "shop-*"]);
  const { id, secret } = made.lines()[0] ?? {};
  const listed = await run(["keys", "list", "--no-json"]);
  expect(listed.stdout).toContain("send shop-*");
  expect(listed.stdout).not.toContain(String(secret));
  const denied = await run(["queue", "create", "other"], "", { LANEMQ_API_KEY: String(secret) });
  expect(denied.code).toBe(3);
  expect(denied.stdout + denied.stderr).not.toContain(String(secret));
  expect((await run(["keys", "delete", String(id)])).code).toBe(0);
});

test("`top` shows the fullest first, `bench` clears up", async () => {
  const queue = lanemq.queue(newName("top"));
  await queue.create();
  await lanemq.queue(newName("top")).create();
  await queue.send("a");
  const { lines } = await run(["top", "--prefix", "top", "--times", "1"]);
  expect(lines()[0]).toMatchObject({
    name: queue.name,
    depth: { ready: 1 },
    changePerSecond: null,
  });
  const bench = await run(["bench", "--messages", "200", "--bytes", "50"]);
  expect(bench.lines()).toMatchObject([{ messages: 200 }]);
  expect((await run(["queue", "list", "--prefix", "lanemq-bench"])).stdout).toBe("");
});

describe("the exit code says what kind of trouble it is", () => {
  test.each([
    [["queue", "show", "none"], {}, 4, "queue-not-found"],
    [["queue", "create", "a b"], {}, 2, "invalid-request"],
    [["queue", "list"], { LANEMQ_API_KEY: "wrong" }, 3, "unauthorized"],
    [["queue", "list"], { LANEMQ_ENDPOINT: "http://127.0.0.1:9" }, 7, "unreachable"],
    [["queue", "list", "--profile", "none"], {}, 2, "no profile"],
    [["quue"], {}, 2, "unknown command"],
    [["send", "a", "b", "--data", "1"], {}, 2, "give one body"],
    [["queue", "create", "a", "--lease-seconds", "x"], {}, 2, "not a number"],
  ])("%j %j: %i", async (args, env, exit, word) => {
    const { code, stdout, stderr } = await run(args, "", env);
    expect(stderr).toContain(word);
    expect(stdout).toBe("");
    expect(code).toBe(exit);
  });
});

describe("profiles", () => {
  posix("keep a key that no command prints", async () => {
    const env = {
      LANEMQ_PROFILES: join(await folder(), "profiles.json"),
      LANEMQ_ENDPOINT: "",
      LANEMQ_API_KEY: "",
    };
    const made = await run(["profile", "set", "here", local.url, "--key"], `${KEY}\n`, env);
    const listed = await run(["profile", "list"], "", env);
    expect(listed.lines()).toEqual([{ name: "here", endpoint: local.url, hasKey: true }]);
    const used = await run(["queue", "list", "--profile", "here"], "", env);
    expect(used.code).toBe(0);
    // The key of a profile is not for another service.
    const other = await run(["queue", "list", "--endpoint", local.url], "", env);
    expect(other.code).toBe(3);
    const gone = await run(["profile", "delete", "here"], "", env);
    for (const one of [made, listed, used, other, gone]) {
      expect(one.stdout + one.stderr).not.toContain(KEY);
    }
  });
});

posix("bash completes commands, flags and the names of queues", async () => {
  const name = newName("completed");
  await lanemq.queue(name).create();
  const script = `
    lanemq() { "${process.execPath}" "${CLI}" "$@"; }
    eval "$(lanemq completion bash)"
    try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _lanemq; echo "\${COMPREPLY[*]}"; }
    try lanemq re
    try lanemq queue show complet
    try lanemq send x --hea
  `;
  const { stdout } = await promisify(execFile)("bash", ["-c", script], {
    env: { ...process.env, LANEMQ_ENDPOINT: local.url, LANEMQ_API_KEY: KEY },
  });
  const words = stdout.split(/\s+/);
  expect(words).toEqual(
    expect.arrayContaining(["receive", "redrive", "release", name, "--header"]),
  );
  expect(words).not.toContain("queue");
});

test("every command has help with what it does, and nothing is wider than 80 columns", async () => {
  const names =
    "start queue send receive ack release extend worker peek redrive scheduled cancel schedule group seek exchange publish top keys bench profile deploy completion";
  const inner = [
    ["queue", "create"],
    ["queue", "set"],
    ["keys", "create"],
    ["profile", "set"],
    ["exchange", "bind"],
    ["group", "create"],
    ["schedule", "create"],
  ];
  const commands = [[], ...names.split(" ").map((name) => [name]), ...inner];
  for (const command of commands) {
    const { code, stdout } = await run([...command, "--help"]);
    expect([command, code]).toEqual([command, 0]);
    const wide = stdout.split("\n").filter((line) => line.length > 80);
    expect(wide).toEqual([]);
  }
});

posix("`lanemq start` serves until it is stopped", async () => {
  const starting = begin(["start", "--port", "0", "--in-memory"], "", {
    LANEMQ_API_KEY: undefined,
  });
  await expect.poll(starting.output, PATIENT).toContain("listens on http://");
  const url = /listens on (\S+)/.exec(starting.output())?.[1] ?? "";
  const { lines } = await run(["queue", "list", "--endpoint", url], "", { LANEMQ_API_KEY: "" });
  expect(lines()).toEqual([]);
  starting.kill("SIGTERM");
  expect((await starting.ended).code).toBe(0);
});
