/**
 * The service as a process, as `npm start` builds and runs it. Hunts: starts that fail without saying
 * why, stops that lose or hang, keys that leak.
 */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { createServer, request as httpRequest } from "node:http";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { dataFolderUntil } from "./folders.ts";
import { caller, type Call } from "./local-service.ts";

const ROOT = join(import.meta.dirname, "../..");
const folder = dataFolderUntil(afterAll);

// On Windows a signal ends a process at once; there is nothing to stop cleanly.
const posix = test.skipIf(process.platform === "win32");

beforeAll(() => {
  execFileSync("npm", ["run", "--silent", "prestart"], {
    cwd: ROOT,
    shell: process.platform === "win32",
  });
});

interface Running {
  readonly child: ChildProcess;
  readonly output: () => string;
  /** Resolves with the URL, once it says that it listens. */
  readonly url: Promise<string>;
  readonly ended: Promise<{ code: number | null; signal: string | null }>;
}

function run(
  command: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  detached = false,
): Running {
  const [file = "", ...args] = command;
  const { LANEMQ_API_KEY: _unset, ...inherited } = process.env;
  const child = spawn(file, args, { cwd: ROOT, env: { ...inherited, ...environment }, detached });
  let text = "";
  let found = (_url: string): void => {};
  const url = new Promise<string>((resolve) => (found = resolve));
  const read = (chunk: Buffer): void => {
    text += chunk.toString();
    const match = /listens on (http:\S+)/.exec(text);
    if (match?.[1] !== undefined) found(match[1]);
  };
  child.stdout.on("data", read);
  child.stderr.on("data", read);
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) =>
    child.once("close", (code, signal) => resolve({ code, signal })),
  );
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    await ended;
  });
  return { child, output: () => text, url, ended };
}

const serve = (flags: readonly string[], environment?: Readonly<Record<string, string>>): Running =>
  run([process.execPath, "dist/main.js", "--port", "0", ...flags], environment);

async function refused(
  flags: readonly string[],
  environment?: Readonly<Record<string, string>>,
): Promise<string> {
  const { ended, output } = run([process.execPath, "dist/main.js", ...flags], environment);
  expect((await ended).code).toBe(1);
  expect(output().trim().split("\n")).toHaveLength(1);
  return output();
}

async function oneMessage(call: Call, body: unknown): Promise<void> {
  await call("PUT", "/v1/queues/q", {});
  expect((await call("POST", "/v1/queues/q/messages", { body })).status).toBe(201);
}

const bodies = async (call: Call): Promise<unknown[]> =>
  ((await call("POST", "/v1/queues/q/receive", { max: 10 })).json.messages ?? []).map(
    ({ body }) => body,
  );

describe("a start", () => {
  test("says where it listens, and three commands that work", async () => {
    const { url, output } = serve(["--in-memory"]);
    const at = await url;
    const lines = output()
      .split("\n")
      .filter((line) => line.startsWith("  curl"));
    expect(lines).toHaveLength(3);
    const answers = lines.map((line) => {
      const words = [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
        ([, single, double, plain]) => single ?? double ?? plain ?? "",
      );
      return words.slice(1);
    });
    for (const words of answers) expect(words.join(" ")).toContain(at);
    const call = caller(at);
    const [, send, receive] = answers;
    expect((await call("PUT", "/v1/queues/hello")).status).toBe(201);
    expect((await call("POST", "/v1/queues/hello/messages", send?.at(-1))).status).toBe(201);
    const got = await call("POST", "/v1/queues/hello/receive", receive?.at(-1));
    expect(got.json.messages).toMatchObject([{ body: "Hello" }]);
  });

  test("on a port that is taken ends with one line", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    expect(await refused(["--in-memory", "--port", String(port)])).toBe(
      `LaneMQ cannot run: port ${port} of 127.0.0.1 is taken\n`,
    );
  });

  test("on a folder in use ends with one line, and harms nobody", async () => {
    const data = await folder();
    const call = caller(await serve(["--data", data]).url);
    expect(await refused(["--port", "0", "--data", data])).toBe(
      `LaneMQ cannot run: another LaneMQ process uses the data folder ${data}\n`,
    );
    await oneMessage(call, "kept");
    expect(await bodies(call)).toEqual(["kept"]);
  });

  test("on a file ends with one line", async () => {
    const data = join(await folder(), "file");
    await writeFile(data, "");
    expect(await refused(["--data", data])).toContain("is not a folder");
  });

  test.each([
    [["--host", "0.0.0.0", "--in-memory"], /API key/],
    [["--host", "::", "--in-memory"], /API key/],
    [["--port", "x"], /port/],
    [["--port", "65536"], /port/],
    [["--in-memory", "--data", "x"], /in-memory/],
    [["--dynamodb", "http://x", "--data", "x"], /dynamodb/],
    [["--dynamodb", "ftp://x"], /http or https URL/],
    [["--nonsense"], /nonsense/],
    [["extra"], /argument/],
    [["--api-key", "a b", "--in-memory"], /API key/],
  ])("with %j ends with one line", async (flags, line) => {
    expect(await refused(flags)).toMatch(line);
  });

  test("with an empty key in the environment does not serve without one", async () => {
    expect(await refused(["--in-memory", "--port", "0"], { LANEMQ_API_KEY: "" })).toMatch(
      /API key/,
    );
  });
});

describe("a key", () => {
  const KEY = "k3y-that-nobody-may-see";

  test.each(["environment", "flag"])("from the %s is asked for and never shown", async (from) => {
    const running = serve(
      ["--in-memory", ...(from === "flag" ? ["--api-key", KEY] : [])],
      from === "flag" ? {} : { LANEMQ_API_KEY: KEY },
    );
    const url = await running.url;
    const withKey = caller(url, { authorization: `Bearer ${KEY}` });
    expect((await caller(url)("PUT", "/v1/queues/q", {})).json.code).toBe("unauthorized");
    const wrong = caller(url, { authorization: `Bearer ${KEY}x` });
    expect((await wrong("PUT", "/v1/queues/q", {})).status).toBe(401);
    expect((await caller(url)("GET", "/healthz")).status).toBe(200);
    expect((await withKey("PUT", "/v1/queues/q", {})).status).toBe(201);
    running.child.kill();
    await running.ended;
    expect(running.output()).not.toContain(KEY);
    expect(running.output()).toContain("$LANEMQ_API_KEY");
  });

  test("makes others, which may do what their scopes say, until they are revoked", async () => {
    const url = await serve(["--in-memory"], { LANEMQ_API_KEY: KEY }).url;
    const admin = caller(url, { authorization: `Bearer ${KEY}` });
    await admin("PUT", "/v1/queues/orders-1", {});
    const made = await admin("POST", "/v1/keys", {
      name: "sender",
      scopes: [{ actions: ["send"], queues: "orders-*" }],
    });
    expect(made.status).toBe(201);
    const sender = caller(url, { authorization: `Bearer ${String(made.json.secret)}` });
    expect((await sender("POST", "/v1/queues/orders-1/messages", { body: 1 })).status).toBe(201);
    expect((await sender("POST", "/v1/queues/orders-1/receive", {})).json.code).toBe("forbidden");
    expect((await sender("POST", "/v1/queues/x/messages", { body: 1 })).json.code).toBe(
      "forbidden",
    );
    expect((await sender("POST", "/v1/keys", {})).status).toBe(403);
    expect((await admin("GET", "/v1/keys")).text).not.toContain(String(made.json.secret));
    expect((await admin("DELETE", `/v1/keys/${String(made.json.id)}`)).status).toBe(204);
  });
});

describe("a stop", () => {
  posix.each(["SIGINT", "SIGTERM"] as const)(
    "by %s is clean, and keeps the data",
    async (signal) => {
      const data = await folder();
      const first = serve(["--data", data]);
      await oneMessage(caller(await first.url), "kept");
      first.child.kill(signal);
      expect(await first.ended).toEqual({ code: 0, signal: null });
      const second = serve(["--data", data]);
      expect(await bodies(caller(await second.url))).toEqual(["kept"]);
    },
  );

  /** A request of which `sent` has arrived there once this resolves. */
  async function begun(url: string, path: string, sent: string, length = sent.length) {
    const { hostname, port } = new URL(url);
    const headers = { "content-type": "application/json", "content-length": length };
    const request = httpRequest({ hostname, port, method: "POST", path, headers });
    const answer = new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
      request.on("error", reject);
      request.on("response", (response) => {
        let text = "";
        response.on("data", (chunk: Buffer) => (text += chunk.toString()));
        response.on("end", () => resolve({ status: response.statusCode, text }));
      });
    });
    answer.catch(() => {});
    await new Promise<void>((resolve) => request.write(sent, () => resolve()));
    if (sent.length === length) request.end();
    // What was written before another request was answered has been read, too.
    await caller(url)("GET", "/healthz");
    return { request, answer };
  }

  posix("ends a long wait with an answer", async () => {
    const running = serve(["--in-memory"]);
    const url = await running.url;
    await caller(url)("PUT", "/v1/queues/q", {});
    const { answer } = await begun(url, "/v1/queues/q/receive", '{"waitSeconds":20}');
    running.child.kill("SIGTERM");
    expect(await answer).toEqual({ status: 200, text: '{"messages":[]}' });
    expect((await running.ended).code).toBe(0);
  });

  posix("lets a request that is under way finish", async () => {
    const running = serve(["--in-memory"]);
    const url = await running.url;
    await caller(url)("PUT", "/v1/queues/q", {});
    const { request, answer } = await begun(url, "/v1/queues/q/messages", '{"body":', 10);
    running.child.kill("SIGTERM");
    while (!running.output().includes("Stopping")) await new Promise(setImmediate);
    request.end("1}");
    expect((await answer).status).toBe(201);
    expect((await running.ended).code).toBe(0);
  });

  posix("is at once when it is told again", async () => {
    const running = serve(["--in-memory"]);
    await begun(await running.url, "/v1/queues/q/messages", '{"body":', 10);
    const again = setInterval(() => running.child.kill("SIGTERM"), 50);
    onTestFinished(() => clearInterval(again));
    expect(await running.ended).toEqual({ code: 143, signal: null });
  });

  posix("by SIGKILL loses nothing that was confirmed", async () => {
    const data = await folder();
    const first = serve(["--data", data]);
    const call = caller(await first.url);
    await call("PUT", "/v1/queues/q", {});
    let confirmed = 0;
    const sending = (async () => {
      for (let i = 0; i < 10_000; i++) {
        const sent = await call("POST", "/v1/queues/q/messages", { body: i });
        if (sent.status !== 201) return;
        confirmed = i + 1;
        if (i === 50) first.child.kill("SIGKILL");
      }
    })();
    await sending.catch(() => {});
    await first.ended;
    expect(confirmed).toBeGreaterThan(50);
    const again = caller(await serve(["--data", data]).url);
    const seen = new Set<unknown>();
    for (;;) {
      const got = (await again("POST", "/v1/queues/q/receive", { max: 1_000 })).json.messages ?? [];
      if (got.length === 0) break;
      for (const { body } of got) seen.add(body);
    }
    for (let i = 0; i < confirmed; i++) expect(seen).toContain(i);
  });

  posix.each(["SIGINT to all of its group, as Ctrl-C does", "SIGTERM to npm alone"])(
    "of npm start by %s is clean",
    async (how) => {
      const running = run(["npm", "start", "--", "--port", "0", "--in-memory"], {}, true);
      const url = await running.url;
      const { pid = 0 } = running.child;
      if (how.startsWith("SIGINT")) process.kill(-pid, "SIGINT");
      else process.kill(pid, "SIGTERM");
      // Its pipes close when the last process of the group is gone.
      await running.ended;
      expect(running.output()).toContain("Stopping");
      await expect(fetch(`${url}/healthz`)).rejects.toThrow();
    },
  );
});
