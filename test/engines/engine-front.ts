/** The embedded engine as a server, for what stands between it and a client. */
import { createServer } from "node:http";
import type { IncomingMessage } from "node:http";
import type { Engine } from "../../src/local/engine.ts";
import { freshSocketPath } from "./engine.ts";

export interface EngineFront {
  readonly socketPath: string;
  close(): Promise<void>;
}

export async function startEngineFront(engine: Pick<Engine, "call">): Promise<EngineFront> {
  const socketPath = freshSocketPath();
  const server = createServer((request, response) => {
    void (async () => {
      const body = await textOf(request);
      const action = String(request.headers["x-amz-target"]).replace(/^.*\./, "");
      const answer = await engine.call({ action, body });
      response.writeHead(answer.status, { "content-type": "application/x-amz-json-1.0" });
      response.end(answer.body);
    })().catch(() => response.destroy());
  });
  server.keepAliveTimeout = 0;
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  return {
    socketPath,
    async close() {
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
