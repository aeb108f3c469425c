import { execFile, spawn } from "node:child_process";
import { createServer, connect } from "node:net";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createDynamoDbClient } from "../../src/store/dynamodb-client.ts";
import { openStore, wait } from "./engine.ts";
import type { Engine } from "./engine.ts";

const run = promisify(execFile);
const FETCH = fileURLToPath(new URL("../../bin/fetch-dynamodb-local.mjs", import.meta.url));
const POLL_MS = 50;
const POLLS = 600;

/** Where DynamoDB Local stands, or why it cannot be run here. */
export async function findDynamoDbLocal(): Promise<
  { readonly home: string } | { readonly missing: string }
> {
  try {
    const { stderr, stdout } = await run("java", ["-version"]);
    const major = Number(/version "(\d+)/.exec(stderr + stdout)?.[1]);
    if (!(major >= 11)) return { missing: `Java 11 or newer is needed, this is ${major}` };
  } catch {
    return { missing: "there is no Java" };
  }
  try {
    const { stdout } = await run(process.execPath, [FETCH], { timeout: 200_000 });
    return { home: stdout.trim() };
  } catch {
    return { missing: "it is not cached, and npm cannot fetch it" };
  }
}

export async function startDynamoDbLocal(home: string): Promise<Engine> {
  const server = await serveDynamoDbLocal(home);
  try {
    const client = createDynamoDbClient({
      endpoint: `http://127.0.0.1:${server.port}`,
      credentials: { accessKeyId: "local", secretAccessKey: "local" },
      requestTimeoutMs: 30_000,
    });
    const opened = await openStore(client, true);
    return {
      ...opened,
      async close() {
        client.destroy();
        await server.close();
      },
    };
  } catch (error) {
    await server.close();
    throw error;
  }
}

/** DynamoDB Local as a process, in memory, on a free loopback port. */
export async function serveDynamoDbLocal(
  home: string,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const port = await freePort();
  const close = launch(home, port);
  try {
    await untilListening(port);
    return { port, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Java ends with this process, however that ends: the shell kills it when its input closes. */
function launch(home: string, port: number): () => Promise<void> {
  const script =
    'java "$@" </dev/null >/dev/null & java=$!; cat >/dev/null; kill $java; wait $java';
  const child = spawn(
    "sh",
    [
      "-c",
      script,
      "sh",
      "-Djava.library.path=./DynamoDBLocal_lib",
      "-jar",
      "DynamoDBLocal.jar",
      "-inMemory",
      "-disableTelemetry",
      "-port",
      String(port),
    ],
    { cwd: home, stdio: ["pipe", "ignore", "ignore"] },
  );
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  return async () => {
    child.stdin.end();
    await ended;
  };
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

async function untilListening(port: number): Promise<void> {
  for (let poll = 0; poll < POLLS; poll++) {
    const listening = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
      socket.once("connect", () => socket.destroy());
    });
    if (listening) return;
    await wait(POLL_MS);
  }
  throw new Error("DynamoDB Local did not start");
}
