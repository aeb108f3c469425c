/** Damages to the log: appends, tails, anchors, and the reading of entries (L1–L8). */
import { damages } from "./mutant.ts";
import type { Mutant } from "./mutant.ts";

const QUEUE = "src/core/queue.ts";
const APPEND = "src/service/append.ts";
const ONCE = "src/service/append-once.ts";
const TAIL = "src/service/tail.ts";
const LOG = "src/service/log.ts";
const CLAIM_FRESH = "src/core/claim-fresh.ts";

const damage = damages(["fences"]);

export const LOG_MUTANTS: readonly Mutant[] = [
  damage("K2", "bodies-lose-their-kind", "src/core/packing.ts", "KINDS[kindIndex]", "KINDS[0]", [
    "mix",
  ]),
  damage(
    "S1",
    "one-part-is-not-written",
    "src/service/parts.ts",
    "Array.from({ length: count }, (_, number) => {\n      const body",
    "Array.from({ length: count - 1 }, (_, number) => {\n      const body",
    ["mix"],
  ),
  damage(
    "G2",
    "one-answer-for-all",
    "src/service/combiner.ts",
    "answers[index] as Answer",
    "(answers[index] && answers[0]) as Answer",
    ["crowd", "mix"],
  ),
  damage(
    "L2",
    "learns-a-message-too-many",
    APPEND,
    "count: messages.length,\n          sentAt",
    "count: messages.length + 1,\n          sentAt",
    ["gathered"],
  ),
  damage(
    "L2",
    "goes-on-behind-the-next-entry",
    LOG,
    "from: chain.next,",
    "from: offset(chain.next + 1),",
    ["gathered"],
  ),
  damage("L1", "put-overwrites", APPEND, '      absent("pk"),', "      undefined,", [
    "mix",
    "fences",
  ]),
  damage(
    "L1",
    "tail-off-by-one",
    TAIL,
    'offset(at + (entry["count"] as number))',
    'offset(at + (entry["count"] as number) + 1)',
    ["mix", "fences"],
  ),
  damage(
    "L3",
    "own-entry-is-foreign",
    APPEND,
    'result.ok || result.found?.["writer"] === draft.writer',
    "result.ok",
  ),
  damage(
    "L3",
    "doubt-is-forgotten",
    APPEND,
    'doubt !== undefined && (tail === "ended" || tail.offset !== doubt.at)',
    "doubt?.at === -1",
  ),
  damage(
    "L3",
    "unknown-is-refused",
    APPEND,
    'if (tail !== undefined && tail !== "ended") doubt = { at: tail.offset, error };',
    'throw new LaneError("throttled", "");',
  ),
  damage(
    "L4",
    "ttl-below-predecessor",
    APPEND,
    "tail.last?.ttl ?? 0, draft.minTtl",
    "0, draft.minTtl",
  ),
  damage(
    "L4",
    "ttl-before-expiry",
    QUEUE,
    "Math.max(0, ...messages.map(({ expiresAt }) => expiresAt))",
    "Math.min(0, ...messages.map(({ expiresAt }) => expiresAt))",
    ["crowd", "mix"],
  ),
  damage(
    "L4",
    "ttl-forgets-records",
    ONCE,
    "...units.map((unit) => Math.max(unit.ttl, unit.intent?.ttl ?? 0)),",
    "",
    ["letters"],
  ),
  damage(
    "L4",
    "expiry-is-not-checked",
    CLAIM_FRESH,
    "message !== undefined && message.expiresAt > now",
    "message !== undefined",
  ),
  damage(
    "L5",
    "appends-behind-the-dying",
    TAIL,
    "left > LIMITS.appendTtlMarginMs",
    "left > -Infinity",
  ),
  damage("L5", "never-seals", TAIL, "left >= LIMITS.sealTtlMarginMs", "left >= -Infinity"),
  damage(
    "L5",
    "touches-the-sealed",
    TAIL,
    'all(exists("count"), absent("sealed"))',
    'exists("count")',
  ),
  damage(
    "L5",
    "seals-the-touched",
    TAIL,
    '[set(["sealed"], true)], equal(["ttl"], tail.last.ttl)',
    '[set(["sealed"], true)], exists("count")',
  ),
  damage(
    "L5",
    "touches-too-far",
    TAIL,
    "clock.now() + LIMITS.touchTtlMs",
    "clock.now() + 1_000 * LIMITS.touchTtlMs",
  ),
  damage(
    "L6",
    "tail-is-always-believed",
    TAIL,
    "age >= 0 && age < LIMITS.tailBelievedMs",
    "age < Infinity",
  ),
  damage("L6", "read-tail-is-not-checked", TAIL, "if (!this.isBelievable(tail)) continue;", "", [
    "corners",
  ]),
  damage(
    "L7",
    "anchor-without-token",
    TAIL,
    'token === undefined ? absent("token") : all(equal(["token"], token), absent("ended"))',
    "undefined",
  ),
  damage(
    "L7",
    "first-anchor-without-guard",
    TAIL,
    'token === undefined ? absent("token") :',
    'token === undefined ? absent("nothing") :',
  ),
  damage(
    "L7",
    "anchor-of-any-token",
    TAIL,
    'all(equal(["token"], token), absent("ended"))',
    'absent("ended")',
  ),
  damage("L7", "sealed-is-a-tail", TAIL, 'last["sealed"] !== true', 'last["sealed"] !== 1'),
  damage(
    "L7",
    "anchor-is-always-trusted",
    TAIL,
    "base !== undefined && !isUsed && age < LIMITS.anchorTrustedMs",
    "base !== undefined",
  ),
  damage(
    "L7",
    "anchor-is-always-renewed",
    TAIL,
    "base !== undefined && !isUsed && age < LIMITS.anchorRenewableMs",
    "base !== undefined",
  ),
  damage("L7", "base-is-next-number", TAIL, "Math.max(Math.floor(now * 1024), past)", "past"),
  {
    name: "touch-outlives-belief",
    rule: "L6",
    kinds: ["timers", "fences"],
    file: TAIL,
    edits: [["ready !== undefined && this.isBelievable(ready)", "ready !== undefined"]],
  },
  {
    name: "anchor-ages-in-sleep",
    rule: "L7",
    kinds: ["once", "fences"],
    file: TAIL,
    edits: [['seenAt - (anchor["since"] as number)', 'now - (anchor["since"] as number)']],
  },
  {
    name: "anchor-after-log",
    rule: "L7",
    kinds: ["fences"],
    file: TAIL,
    edits: [
      [
        "const seenAt = clock.now();\n      const anchor =",
        "const seenAt = clock.now();\n      const early =",
      ],
      [
        'if (anchor?.["ended"] === true ||',
        'const anchor = early === null ? early : await store.get("lanes", anchorKey(queue, lane), { consistent: true });\n      if (anchor?.["ended"] === true ||',
      ],
    ],
  },
  damage(
    "L8",
    "jumps-on-one-query",
    LOG,
    "isAtHead && hasGap(first, segment.head) ? await this.query(queue, lane, range) : first",
    "first",
    ["nooks"],
  ),
  damage(
    "L8",
    "jumps-inner-holes",
    LOG,
    "if (before.offset + before.count < entry.offset && entry.offset > head)",
    "if (before.offset < 0)",
    ["crowd"],
  ),
];
