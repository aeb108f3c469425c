/** What `lanemq deploy` hands to the CDK: the stack, with the context that its templates are made with. */
import { App } from "aws-cdk-lib";
import { readFileSync } from "node:fs";
import { LaneMqStack } from "./lanemq-stack.ts";
import { settingsFromContext } from "./settings.ts";

const { context } = JSON.parse(
  readFileSync(new URL("../../cdk.json", import.meta.url), "utf8"),
) as { context: Record<string, unknown> };
const app = new App({ context });
const settings = settingsFromContext(app.node);
new LaneMqStack(app, settings.stackName, { settings });
