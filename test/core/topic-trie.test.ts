/** Hunts for keys that the trie leads to patterns that do not match them, or past some that do. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { TopicTrie } from "../../src/core/topic-trie.ts";

const found = (patterns: readonly string[], key: string): string[] => {
  const trie = new TopicTrie<string>();
  for (const pattern of patterns) trie.add(pattern, pattern);
  return trie.match(key);
};

test.each([
  ["*.orange.*", "quick.orange.rabbit", true],
  ["*.orange.*", "quick.orange.new.rabbit", false],
  ["lazy.#", "lazy", true],
  ["lazy.#", "lazy.brown.fox", true],
  ["#", "", true],
  ["", "", true],
  ["*", "", false],
  ["*.*", ".", true],
  ["a.#.b", "a.b", true],
  ["a.#.b", "a.x.b.y.b", true],
  ["a.#.b", "a.b.x", false],
  ["#.#", "a", true],
  ["#.*.#", "", false],
  ["__proto__.constructor", "__proto__.constructor", true],
])("pattern %j takes key %j: %s", (pattern, key, expected) => {
  expect(found([pattern], key)).toEqual(expected ? [pattern] : []);
});

/** By the words of the definition, trying everything. */
function matchesNaively(pattern: readonly string[], key: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return key.length === 0;
  if (first === "#") {
    return (
      key.some((_, skipped) => matchesNaively(rest, key.slice(skipped))) || matchesNaively(rest, [])
    );
  }
  const [word, ...others] = key;
  return word !== undefined && (first === "*" || first === word) && matchesNaively(rest, others);
}

const split = (text: string): string[] => (text === "" ? [] : text.split("."));
const word = fc.constantFrom("a", "b", "", "longer");
const keys = fc.array(word, { maxLength: 6 }).map((words) => words.join("."));
const patterns = fc
  .array(fc.oneof(word, fc.constantFrom("*", "#")), { maxLength: 6 })
  .map((words) => words.join("."));

test("the trie agrees with a naive matcher", () => {
  let matched = 0;
  fc.assert(
    fc.property(
      fc.array(patterns, { maxLength: 12 }),
      fc.array(keys, { maxLength: 4 }),
      (given, asked) => {
        const trie = new TopicTrie<number>();
        for (const [index, pattern] of given.entries()) trie.add(pattern, index);
        for (const key of asked) {
          const expected = given.flatMap((pattern, index) =>
            matchesNaively(split(pattern), split(key)) ? [index] : [],
          );
          matched += expected.length;
          expect(trie.match(key).sort((a, b) => a - b)).toEqual(expected);
        }
      },
    ),
    { numRuns: 3_000 },
  );
  expect(matched).toBeGreaterThan(1_000);
});

test("many # in patterns and a long key do not multiply", () => {
  const trie = new TopicTrie<string>();
  const pattern = Array.from({ length: 40 }, () => "#.a").join(".");
  trie.add(`${pattern}.end`, "no");
  trie.add(pattern, "yes");
  expect(trie.match(Array.from({ length: 120 }, () => "a").join("."))).toEqual(["yes"]);
});
