/** A folder that goes with the test. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

export async function dataFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "lanemq-test-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
