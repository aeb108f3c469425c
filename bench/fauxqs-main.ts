/** fauxqs in a process of its own, as `bench/sqs.ts` measures it: no log, loopback only. */
import { startFauxqs } from "fauxqs";

const server = await startFauxqs({ port: 0, host: "127.0.0.1", logger: false });
process.stdout.write(`http://127.0.0.1:${server.port}\n`);
process.once("SIGTERM", () => void server.stop().then(() => process.exit(0)));
