/** Synthesizes the stack as `cdk synth` does, with the context of cdk.json. */
import { App, type Stack } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { readFileSync } from "node:fs";
import { LaneMqStack } from "../../lib/lanemq-stack.ts";
import { parseSettings, type SettingsInput } from "../../lib/settings.ts";

const { context } = JSON.parse(
  readFileSync(new URL("../../cdk.json", import.meta.url), "utf8"),
) as { context: Record<string, unknown> };

export interface Synthesized {
  readonly app: App;
  readonly stack: Stack;
  readonly template: Template;
}

/** Without bundles: what the functions contain does not matter to the template. */
export function synth(settings: SettingsInput = {}): Synthesized {
  const app = createApp({ "aws:cdk:bundling-stacks": [] });
  const parsed = parseSettings(settings);
  const stack = new LaneMqStack(app, parsed.stackName, { settings: parsed });
  return { app, stack, template: Template.fromStack(stack) };
}

export function createApp(extra: Record<string, unknown> = {}, outdir?: string): App {
  return new App({
    context: { ...context, ...extra },
    analyticsReporting: false,
    ...(outdir === undefined ? {} : { outdir }),
  });
}

export interface Resource {
  readonly Type: string;
  readonly Properties: Record<string, unknown>;
  readonly DeletionPolicy?: string;
  readonly UpdateReplacePolicy?: string;
}

export const resources = (template: Template, type: string): [string, Resource][] =>
  Object.entries(template.findResources(type)) as [string, Resource][];

export interface Statement {
  readonly Effect: string;
  readonly Action: string | string[];
  readonly Resource: unknown;
}

/** What a function's policies allow, by the construct id of its role (`Send` of `SendRole`). */
export function statements(template: Template, functionId: string): Statement[] {
  return resources(template, "AWS::IAM::Policy")
    .filter(([id]) => id.startsWith(`Functions${functionId}Role`))
    .flatMap(
      ([, policy]) => (policy.Properties["PolicyDocument"] as { Statement: Statement[] }).Statement,
    );
}

export const list = (value: string | string[]): string[] =>
  typeof value === "string" ? [value] : value;
