/**
 * SDKs and frameworks of other languages, as they are, each driven by a program of its own beside this
 * file. `npm run test:clients` installs what it can; what is missing is skipped, and says so.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { programOf } from "./foreign.ts";
import { startService } from "./speakers.ts";
import type { Served } from "./speakers.ts";

const LONG_MS = 300_000;
/** So that every signature is verified. */
const API_KEY = "clients-admin-key";

let served: Served;
beforeAll(async () => {
  served = await startService({ apiKey: API_KEY });
});
afterAll(() => served.close());

const signed = (): string[] => [served.url, "lanemq", API_KEY];

for (const [name, script] of [
  ["boto3", "test/clients/python/boto3_test.py"],
  ["boto3-debian", "test/clients/python/boto3_test.py"],
  ["go", undefined],
  ["java", undefined],
] as const) {
  const { title, isMissing, run } = programOf(name);
  test.skipIf(isMissing)(
    title,
    async () => {
      const output = await run([...(script === undefined ? [] : [script]), ...signed()]);
      expect(output.code, `${output.stdout}\n${output.stderr}`).toBe(0);
    },
    LONG_MS,
  );
}

for (const name of ["celery", "celery-debian"]) {
  const { title, isMissing, run } = programOf(name);
  test.skipIf(isMissing)(
    `${title}: 1,000 tasks with retries, countdowns and times`,
    async () => {
      const { stdout, stderr } = await run(["test/clients/python/celery_run.py", ...signed()]);
      expect(stdout, stderr).toMatch(/^\{.*\}\n$/);
      expect(JSON.parse(stdout), stderr).toMatchObject({
        done: 1_000,
        twice: 0,
        retried: 200,
        early: 0,
        exit: 0,
      });
    },
    LONG_MS,
  );
}
