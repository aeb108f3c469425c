import type { Server } from "node:http";
import { createRequire } from "node:module";
import { freshSocketPath, openStore } from "./engine.ts";
import type { Engine } from "./engine.ts";
import { socketClient } from "./socket.ts";

const dynalite = createRequire(import.meta.url)("dynalite") as (options: object) => Server;

/** dynalite in this process, in memory, on a unix domain socket. */
export async function startDynalite(): Promise<Engine> {
  const socketPath = freshSocketPath();
  const server = dynalite({ createTableMs: 0 });
  server.keepAliveTimeout = 0;
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  const client = socketClient(socketPath);
  return {
    ...(await openStore(client, false)),
    async close() {
      client.destroy();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}
