/** Data folders that go with the test file. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** `cleanUp`: `afterAll`. Call it before the hook that closes who uses the folder. */
export function dataFolderUntil(
  cleanUp: (run: () => Promise<void>) => void,
): () => Promise<string> {
  const folders: string[] = [];
  cleanUp(async () => {
    for (const folder of folders) await rm(folder, { recursive: true, force: true });
  });
  return async () => {
    const folder = await mkdtemp(join(tmpdir(), "lanemq-e2e-"));
    folders.push(folder);
    return folder;
  };
}
