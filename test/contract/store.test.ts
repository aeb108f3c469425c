/** One contract for every adapter on every engine: what a service learns from one holds on all. */
import { afterAll, beforeAll, describe, test } from "vitest";
import { enginesUnderTest } from "../engines/all.ts";
import type { Engine } from "../engines/engine.ts";
import { describeConditions } from "./conditions.ts";
import { describeEdits } from "./edits.ts";
import { describeQueries } from "./queries.ts";
import { describeUnits } from "./units.ts";
import { describeWrites } from "./writes.ts";

for (const { name, start } of await enginesUnderTest()) {
  if (start === undefined) {
    // The default reporter does not name what it skips.
    console.warn(name);
    test.skip(name, () => {});
  } else {
    describe(name, () => {
      let opened: Engine | undefined;
      beforeAll(async () => {
        opened = await start();
      });
      afterAll(async () => opened?.close());
      const engine = (): Engine => {
        if (opened === undefined) throw new Error(`${name} has not started`);
        return opened;
      };
      const store = () => engine().store;

      describeConditions(store);
      describeEdits(store);
      describeWrites(store);
      describeQueries(store);
      // Group commit reports no requests: what it asks of the engine goes by who meets whom.
      if (name !== "the embedded engine") describeUnits(engine);
    });
  }
}
