/**
 * A RabbitMQ server of our own: node name, data, logs and Erlang's port mapper below a temporary folder
 * and on loopback ports that are free, so that it meets no other. Ended by process id.
 *
 * `bin/install-rabbitmq.sh` installs the server where it is missing.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type ChannelModel, connect } from "amqplib";
import { freePort } from "./dynamodb-local.ts";

/** Debian's package keeps the server's own script there; that in PATH changes the user. */
const DEBIAN = "/usr/lib/rabbitmq/bin";
const START_MS = 60_000;
const STOP_MS = 20_000;

export interface RabbitMq {
  readonly version: string;
  readonly connection: ChannelModel;
  stop(): Promise<void>;
}

/** Where the server, `erl` and `epmd` are; `undefined`: not all of them are installed. */
export function findRabbitMq(): { server: string; epmd: string } | undefined {
  const paths = [DEBIAN, ...(process.env["PATH"] ?? "").split(delimiter)];
  const find = (name: string): string | undefined =>
    paths.map((path) => join(path, name)).find((path) => existsSync(path));
  const [server, epmd] = [find("rabbitmq-server"), find("epmd")];
  return server === undefined || epmd === undefined || find("erl") === undefined
    ? undefined
    : { server, epmd };
}

export async function startRabbitMq(found: { server: string; epmd: string }): Promise<RabbitMq> {
  const folder = mkdtempSync(join(tmpdir(), "lanemq-rabbitmq-"));
  const [port, distribution, mapper] = await Promise.all([freePort(), freePort(), freePort()]);
  writeFileSync(join(folder, "plugins"), "[].");
  const mapping = {
    ...process.env,
    HOME: folder,
    ERL_EPMD_PORT: `${mapper}`,
    ERL_EPMD_ADDRESS: LOOPBACK,
  };
  const epmd = spawn(found.epmd, [], { env: mapping, stdio: "ignore" });
  const output: string[] = [];
  const server = spawn(found.server, [], {
    env: {
      ...mapping,
      RABBITMQ_NODENAME: `lanemq-${process.pid}@localhost`,
      RABBITMQ_MNESIA_BASE: join(folder, "mnesia"),
      RABBITMQ_LOG_BASE: join(folder, "log"),
      RABBITMQ_CONFIG_FILE: join(folder, "none"),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, "plugins"),
      RABBITMQ_NODE_IP_ADDRESS: LOOPBACK,
      RABBITMQ_NODE_PORT: `${port}`,
      RABBITMQ_DIST_PORT: `${distribution}`,
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "-kernel inet_dist_use_interface {127,0,0,1}",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const stream of [server.stdout, server.stderr])
    stream.on("data", (data: Buffer) => output.push(data.toString("utf8")));
  const stop = async (): Promise<void> => {
    await end(server);
    await end(epmd);
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const connection = await connected(port, server);
    return {
      version: connection.connection.serverProperties.version,
      connection,
      stop: async () => {
        await connection.close();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw new Error(`RabbitMQ did not start:\n${output.join("").slice(-2_000)}`, { cause: error });
  }
}

const LOOPBACK = "127.0.0.1";

async function connected(port: number, server: ChildProcess): Promise<ChannelModel> {
  const deadline = Date.now() + START_MS;
  for (;;) {
    try {
      return await connect(`amqp://guest:guest@${LOOPBACK}:${port}`);
    } catch (error) {
      if (server.exitCode !== null || Date.now() > deadline) throw error;
      await delay(250);
    }
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  await ended;
  clearTimeout(timer);
}
