/** Hunts: a call of the API that no command makes. */
import { createServer } from "node:http";
import { Readable } from "node:stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createProgram } from "../../src/cli/program.ts";
import { ROUTES } from "../../src/http/routes.ts";
import type { Operation } from "../../src/http/routes.ts";

/** Answers everything, in every call's way. */
const ANSWER = JSON.stringify({
  queues: [{ name: "q" }],
  exchanges: [],
  schedules: [],
  bindings: [],
  keys: [],
  groups: [{ name: "g" }],
  messages: [{ id: "1", queues: [] }],
  results: [{ status: "done" }],
  moved: 0,
  remaining: 0,
  depth: { ready: 0, leased: 0, delayed: 0 },
});

/** Told by other means: `exchange show` lists all bindings, and the rest is for programs. */
const WITHOUT: readonly Operation[] = ["getBinding", "health", "openapi"];

const COMMANDS = [
  ["queue", "create", "q"],
  ["queue", "set", "q", "--lease-seconds", "1"],
  ["queue", "list", "--depth"],
  ["queue", "delete", "q"],
  ["queue", "purge", "q"],
  ["send", "q", "a"],
  ["receive", "q"],
  ["ack", "q", "r"],
  ["release", "q", "r"],
  ["extend", "q", "r", "--lease-seconds", "1"],
  ["peek", "q"],
  ["peek", "q", "1"],
  ["redrive", "q"],
  ["scheduled", "q"],
  ["cancel", "q", "1"],
  ["schedule", "create", "s", "a", "--queue", "q", "--every-seconds", "1"],
  ["schedule", "list"],
  ["schedule", "show", "s"],
  ["schedule", "delete", "s"],
  ["group", "create", "q", "g"],
  ["group", "list", "q"],
  ["group", "show", "q", "g"],
  ["group", "delete", "q", "g"],
  ["seek", "q", "--from", "latest"],
  ["exchange", "create", "e"],
  ["exchange", "list"],
  ["exchange", "show", "e"],
  ["exchange", "delete", "e"],
  ["exchange", "bind", "e", "b", "--queue", "q"],
  ["exchange", "unbind", "e", "b"],
  ["publish", "e", "a"],
  ["keys", "create", "k", "--allow", "send"],
  ["keys", "list"],
  ["keys", "delete", "k"],
];

const seen = new Set<string>();
const server = createServer((request, response) => {
  const path = (request.url ?? "").replace(/\?.*/, "");
  const route = ROUTES.find((one) => one.method === request.method && fits(one.path, path));
  seen.add(route?.operation ?? `${request.method} ${path}`);
  response.setHeader("content-type", "application/json").end(ANSWER);
});
beforeAll(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
afterAll(() => {
  server.close();
  server.closeAllConnections();
});

test("each operation is made by a command, or is known to have none", async () => {
  const address = server.address();
  const port = typeof address === "object" ? address?.port : 0;
  const nobody = { write: () => true, isTTY: false };
  const surroundings = {
    env: { LANEMQ_ENDPOINT: `http://127.0.0.1:${port}`, LANEMQ_PROFILES: "/nowhere" },
    stdin: Readable.from([]) as NodeJS.ReadStream,
    stdout: nobody as unknown as NodeJS.WriteStream,
    stderr: nobody as unknown as NodeJS.WriteStream,
  };
  for (const command of COMMANDS) {
    await createProgram(surroundings, "0.0.0").parseAsync(command, { from: "user" });
  }
  const operations = ROUTES.map(({ operation }) => operation);
  expect([...seen, ...WITHOUT].toSorted()).toEqual(operations.toSorted());
});

/** Whether a path is one of `/v1/queues/{queue}`'s kind. */
const fits = (pattern: string, path: string): boolean =>
  new RegExp(`^${pattern.replace(/\{\w+\}/g, "[^/]+")}$`).test(path);
