/** Hunts characters that XML cannot carry, and those that are refused though AWS takes them. */
import { describe, expect, it } from "vitest";
import { refusedCharacter } from "../../src/sqs/characters.ts";

describe("characters of bodies and attributes", () => {
  it("that AWS names are allowed", () => {
    for (const text of [
      "",
      "\t\n\r",
      " ~",
      "\u007f\u0085\u00a0",
      "\ud7ff\ue000\ufffd",
      "\u{10000}\u{10ffff}",
      "<&>\"'",
    ])
      expect(refusedCharacter(text)).toBeUndefined();
  });

  it.each([
    ["\0", "#x0"],
    ["a\u0001b", "#x1"],
    ["\u0008", "#x8"],
    ["\u000b", "#xb"],
    ["\u001f", "#x1f"],
    ["\ufffe", "#xfffe"],
    ["ok\uffff", "#xffff"],
    ["\ud800", "#xd800"],
    ["\u{10000}\udc00", "#xdc00"],
  ])("others are found: %j", (text, found) => {
    expect(refusedCharacter(text)).toBe(found);
  });
});
