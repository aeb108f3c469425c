/** Hunts those who are still named after they have left, and those who are forgotten while they are here. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Roster } from "../../src/local/roster.ts";

test("names those who are here, whoever comes and leaves in whatever order", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constant("comes" as const), fc.nat(20))), (steps) => {
      const roster = new Roster<{ n: number }>();
      const here: { one: { n: number }; leave: () => void }[] = [];
      for (const [n, step] of steps.entries()) {
        if (step === "comes") {
          const one = { n };
          here.unshift({ one, leave: roster.add(one) });
        } else if (step < here.length) here.splice(step, 1)[0]?.leave();
        expect(roster.all()).toEqual(here.map(({ one }) => one));
      }
    }),
  );
});

test("leaving twice takes nobody else away", () => {
  const roster = new Roster<{ name: string }>();
  const leave = roster.add({ name: "a" });
  roster.add({ name: "b" });
  leave();
  leave();
  expect(roster.all()).toEqual([{ name: "b" }]);
});

test("the same one may be here twice", () => {
  const roster = new Roster<object>();
  const one = {};
  const leave = [roster.add(one), roster.add(one)];
  leave[0]?.();
  expect(roster.all()).toEqual([one]);
});
