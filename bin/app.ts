/** CDK entry. Every synthesis is checked by cdk-nag; a finding without an accepted reason ends it. */
import { App, Validations } from "aws-cdk-lib";
import { AwsSolutionsChecks } from "cdk-nag";
import { LaneMqStack } from "../lib/lanemq-stack.ts";
import { settingsFromContext } from "../lib/settings.ts";

const app = new App();
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
const settings = settingsFromContext(app.node);
new LaneMqStack(app, settings.stackName, { settings });
