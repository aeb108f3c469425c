/** `npm start`. */
import { startCommand } from "./start-command.ts";

// The SDK would greet a reader on Node 20 with a notice about itself.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";

await startCommand("npm start --").parseAsync();
