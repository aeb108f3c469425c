/**
 * How the functions are bundled: by the esbuild in node_modules, on this machine, never in Docker.
 * The AWS SDK goes into the bundle, so that what is deployed is what was tested.
 */
import { type BundlingOptions, OutputFormat } from "aws-cdk-lib/aws-lambda-nodejs";

export const bundling: BundlingOptions = {
  format: OutputFormat.ESM,
  target: "node24",
  minify: true,
  sourceMap: false,
  mainFields: ["module", "main"],
  bundleAwsSDK: true,
  externalModules: [],
  forceDockerBundling: false,
  // CommonJS packages in an ES module still call `require` for Node's own modules.
  banner:
    'import{createRequire as __createRequire}from"node:module";const require=__createRequire(import.meta.url);',
};
