import { describe, expect, test } from "vitest";
import {
  absent,
  all,
  any,
  contains,
  equal,
  exists,
  less,
  more,
  set,
} from "../../src/store/port.ts";
import type { Attributes, Condition, Store, Value } from "../../src/store/port.ts";
import { freshPk } from "./fresh.ts";

const ITEM = {
  text: "abc",
  empty: "",
  number: 5,
  zero: 0,
  no: false,
  bytes: new Uint8Array([1, 2, 3]),
  members: new Set(["a", "b", "c"]),
  map: { inner: 1, "odd#name.with dots": "x" },
  list: ["one", 2],
  "x#lease": 7,
} satisfies Attributes;

/** Each condition, and whether it holds on ITEM and on no item at all. */
const CASES: readonly [name: string, condition: Condition, onItem: boolean, onNothing: boolean][] =
  [
    ["exists of the key", exists("pk"), true, false],
    ["absent of the key", absent("pk"), false, true],
    ["exists of an attribute that is false", exists("no"), true, false],
    ["exists of an attribute that is an empty text", exists("empty"), true, false],
    ["exists of an absent attribute", exists("nowhere"), false, false],
    ["absent of an absent attribute", absent("nowhere"), true, true],
    ["exists of a map's member", exists("map", "inner"), true, false],
    ["exists of a member with odd characters", exists("map", "odd#name.with dots"), true, false],
    ["absent of a map's absent member", absent("map", "other"), true, true],
    ["absent of a member of an absent map", absent("nowhere", "other"), true, true],
    ["exists of a member of what is no map", exists("text", "length"), false, false],
    ["exists of a name that every object has", exists("constructor"), false, false],
    ["exists of a name with #", exists("x#lease"), true, false],
    ["equal text", equal(["text"], "abc"), true, false],
    ["equal text, other case", equal(["text"], "ABC"), false, false],
    ["equal empty text", equal(["empty"], ""), true, false],
    ["equal number", equal(["number"], 5), true, false],
    ["equal number and text of it", equal(["number"], "5"), false, false],
    ["equal zero and minus zero", equal(["zero"], -0), true, false],
    ["equal boolean", equal(["no"], false), true, false],
    ["equal boolean, the other", equal(["no"], true), false, false],
    ["equal bytes", equal(["bytes"], new Uint8Array([1, 2, 3])), true, false],
    ["equal bytes, longer", equal(["bytes"], new Uint8Array([1, 2, 3, 0])), false, false],
    ["equal of an absent attribute", equal(["nowhere"], 0), false, false],
    ["equal set in another order", equal(["members"], new Set(["c", "a", "b"])), true, false],
    ["equal set with one less", equal(["members"], new Set(["a", "b"])), false, false],
    ["equal set with one more", equal(["members"], new Set(["a", "b", "c", "d"])), false, false],
    ["equal set with one other", equal(["members"], new Set(["a", "b", "d"])), false, false],
    ["equal to an empty set, of an absent attribute", equal(["nowhere"], new Set()), true, true],
    ["equal to an empty set, of a set", equal(["members"], new Set()), false, true],
    ["equal of a map's member", equal(["map", "inner"], 1), true, false],
    ["contains a member", contains(["members"], "b"), true, false],
    ["contains no such member", contains(["members"], "d"), false, false],
    ["contains part of a member", contains(["members"], ""), false, false],
    ["contains in an absent set", contains(["nowhere"], "a"), false, false],
    ["contains in a number", contains(["number"], "5"), false, false],
    ["less", less(["number"], 6), true, false],
    ["less than itself", less(["number"], 5), false, false],
    ["less than a smaller one", less(["number"], -6), false, false],
    ["less by digits, not by letters", less(["number"], 10), true, false],
    ["less of a text", less(["text"], 10), false, false],
    ["less of an absent attribute", less(["nowhere"], 10), false, false],
    ["more", more(["number"], 4), true, false],
    ["more than itself", more(["number"], 5), false, false],
    ["more than a larger one", more(["number"], 6), false, false],
    ["more by digits, not by letters", more(["number"], -10), true, false],
    ["more of a map's member", more(["map", "inner"], 0), true, false],
    ["more of a text", more(["text"], -10), false, false],
    ["more of an absent attribute", more(["nowhere"], -10), false, false],
    ["more of a member of an absent map", more(["nowhere", "other"], -10), false, false],
    ["all of two that hold", all(exists("pk"), less(["number"], 6)), true, false],
    ["all of one that fails", all(exists("pk"), less(["number"], 5)), false, false],
    ["all of nothing", all(), true, true],
    ["any of one that holds", any(absent("pk"), less(["number"], 6)), true, true],
    ["any of none that holds", any(exists("nowhere"), less(["number"], 5)), false, false],
    [
      "all binds its parts before any does",
      any(all(exists("nowhere"), exists("text")), equal(["text"], "abc")),
      true,
      false,
    ],
    [
      "any within all stands in brackets",
      all(any(exists("text"), exists("number")), exists("nowhere")),
      false,
      false,
    ],
    ["any that holds a part without content", any(exists("nowhere"), all()), true, true],
    [
      "the same value and name used twice",
      all(equal(["number"], 5), any(equal(["zero"], 5), equal(["number"], 5))),
      true,
      false,
    ],
  ];

export function describeConditions(store: () => Store): void {
  describe("a condition", () => {
    test.each(CASES)("%s", async (_name, condition, onItem, onNothing) => {
      const pk = freshPk();
      await store().put("lanes", { pk, sk: "item", ...ITEM });
      const touch = [set(["touched"], true)];
      const present = await store().update("lanes", { pk, sk: "item" }, touch, condition);
      const missing = await store().update("lanes", { pk, sk: "none" }, touch, condition);
      expect({ onItem: present.ok, onNothing: missing.ok }).toEqual({ onItem, onNothing });
      if (!missing.ok) {
        expect(missing.found).toBeUndefined();
        expect(
          await store().get("lanes", { pk, sk: "none" }, { consistent: true }),
        ).toBeUndefined();
      }
      if (!present.ok) expect(present.found).toEqual({ pk, sk: "item", ...ITEM });
    });

    test.each<[string, Value]>([
      ["a list", ["one", 2]],
      ["a map", { inner: 1 }],
    ])("does not compare with %s: not every engine could", async (_name, to) => {
      const pk = freshPk();
      const attempt = async () =>
        store().put("lanes", { pk, sk: "item" }, any(absent("pk"), equal(["list"], to)));
      await expect(
        (async () => {
          await store().put("lanes", { pk, sk: "item", ...ITEM });
          await attempt();
        })(),
      ).rejects.toMatchObject({ code: "internal" });
    });
  });
}
