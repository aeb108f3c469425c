/** The naive queue as a process: the same engine, gateway and HTTP face as the embedded service. */
import { randomBytes, randomUUID } from "node:crypto";
import { createFace } from "../src/http/face.ts";
import { ROUTES } from "../src/http/routes.ts";
import type { Role } from "../src/http/routes.ts";
import { after } from "../src/local/effects.ts";
import { createGateway } from "../src/local/gateway.ts";
import { openStorage } from "../src/local/storage.ts";
import { createNaiveQueue } from "./naive.ts";

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";

const [data = ".bench/naive"] = process.argv.slice(2);
const storage = await openStorage({ data });
const service = createNaiveQueue({ store: storage.store(), clock: Date, randomBytes });
const log = (message: string, details: unknown): void => console.error(message, details);
const face = (role: Role) =>
  createFace({ service, role, auth: { mode: "open" }, log: { error: log } });
const gateway = createGateway({
  routes: ROUTES,
  faces: { send: face("send"), receive: face("receive"), ack: face("ack"), admin: face("admin") },
  open: true,
  now: Date.now,
  requestId: randomUUID,
  after,
  log,
});
const { port } = await gateway.listen(0, "127.0.0.1");
process.once("SIGTERM", () => {
  void gateway
    .close()
    .then(() => storage.close())
    .then(() => process.exit(0));
});
process.stdout.write(`The naive queue listens on http://127.0.0.1:${port}\n`);
