/**
 * Damages to the source that the simulation must find: for each rule of the design, what it forbids.
 * Every text to find stands once in its file, which a test checks.
 *
 * Not here, for nothing simulated can need it: a touch (L5) asks for its entry to exist, but is made two
 * minutes before the entry may go, and no request arrives later than a minute after it has left.
 */
import type { KindName } from "./kinds.ts";

export interface Mutant {
  readonly name: string;
  /** The rule of the design, or of the file's header, that it breaks. */
  readonly rule: Rule;
  /** Schedules that need the rule. */
  readonly kinds: readonly KindName[];
  readonly file: string;
  /** Each: a text to find, and its replacement. */
  readonly edits: readonly (readonly [find: string, replace: string])[];
}

const KINDS_OF = {
  L1: ["fences"],
  L3: ["fences"],
  L4: ["fences"],
  L5: ["fences"],
  L6: ["fences"],
  L7: ["fences"],
  L8: ["crowd"],
  L9: ["retire"],
  C1: ["crowd"],
  C2: ["leases"],
  C3: ["leases"],
  C4: ["leases"],
  C5: ["leases"],
  C6: ["letters"],
  C7: ["crowd"],
  C8: ["purges"],
  E1: ["letters"],
  E3: ["letters"],
  X1: ["crowd"],
  D2: ["retire"],
  D4: ["purges"],
  M2: ["mix"],
} as const satisfies Record<string, readonly KindName[]>;

type Rule = keyof typeof KINDS_OF;

const APPEND = "src/service/append.ts";
const ONCE = "src/service/append-once.ts";
const TAIL = "src/service/tail.ts";
const LOG = "src/service/log.ts";
const LANES = "src/service/lanes.ts";
const PLANNER = "src/core/planner.ts";
const RECLAIM = "src/core/reclaim.ts";
const CLAIM_FRESH = "src/core/claim-fresh.ts";
const SEGMENT = "src/core/segment.ts";
const MOVES = "src/core/moves.ts";
const CLAIM = "src/service/claim.ts";
const ACK = "src/service/ack.ts";
const CURSOR = "src/service/cursor.ts";
const VISIT = "src/service/visit.ts";
const DEAD = "src/service/dead-letter.ts";
const ERASE = "src/service/erase.ts";
const CATALOG = "src/service/catalog.ts";
const QUEUES = "src/service/queues.ts";

const one = (
  rule: Rule,
  name: string,
  file: string,
  find: string,
  replace: string,
  kinds: readonly KindName[] = KINDS_OF[rule],
): Mutant => ({ name, rule, kinds, file, edits: [[find, replace]] });

export const MUTANTS: readonly Mutant[] = [
  one("L1", "put-overwrites", APPEND, '      absent("pk"),', "      undefined,", ["mix", "fences"]),
  one(
    "L1",
    "tail-off-by-one",
    TAIL,
    'offset(at + (entry["count"] as number))',
    'offset(at + (entry["count"] as number) + 1)',
    ["mix", "fences"],
  ),
  one(
    "L3",
    "own-entry-is-foreign",
    APPEND,
    'result.ok || result.found?.["writer"] === draft.writer',
    "result.ok",
  ),
  one(
    "L3",
    "doubt-is-forgotten",
    APPEND,
    'doubt !== undefined && (tail === "ended" || tail.offset !== doubt.at)',
    "doubt?.at === -1",
  ),
  one(
    "L3",
    "unknown-is-refused",
    APPEND,
    'if (tail !== undefined && tail !== "ended") doubt = { at: tail.offset, error };',
    'throw new LaneError("throttled", "");',
  ),
  one(
    "L4",
    "ttl-below-predecessor",
    APPEND,
    "tail.last?.ttl ?? 0, draft.minTtl",
    "0, draft.minTtl",
  ),
  one(
    "L4",
    "ttl-before-expiry",
    APPEND,
    "message.expiresAt + LIMITS.entryTtlAfterExpiryMs",
    "0 * message.expiresAt",
    ["crowd", "mix"],
  ),
  one(
    "L4",
    "ttl-forgets-records",
    ONCE,
    "draftEntry(this.#deps, messages, ttl)",
    "draftEntry(this.#deps, messages)",
    ["letters"],
  ),
  one(
    "L4",
    "expiry-is-not-checked",
    CLAIM_FRESH,
    "message !== undefined && message.expiresAt > now",
    "message !== undefined",
  ),
  one(
    "L5",
    "appends-behind-the-dying",
    TAIL,
    "left > LIMITS.appendTtlMarginMs",
    "left > -Infinity",
  ),
  one("L5", "never-seals", TAIL, "left >= LIMITS.sealTtlMarginMs", "left >= -Infinity"),
  one(
    "L5",
    "touches-the-sealed",
    TAIL,
    'all(exists("count"), absent("sealed"))',
    'exists("count")',
  ),
  one(
    "L5",
    "seals-the-touched",
    TAIL,
    'all(exists("count"), equal(["ttl"], tail.last.ttl))',
    'exists("count")',
  ),
  one(
    "L5",
    "touches-too-far",
    TAIL,
    "clock.now() + LIMITS.touchTtlMs",
    "clock.now() + 1_000 * LIMITS.touchTtlMs",
  ),
  one(
    "L6",
    "tail-is-always-believed",
    TAIL,
    "age >= 0 && age < LIMITS.tailBelievedMs",
    "age < Infinity",
  ),
  one("L6", "read-tail-is-not-checked", TAIL, "if (!this.isBelievable(tail)) continue;", ""),
  one(
    "L7",
    "anchor-without-token",
    TAIL,
    'token === undefined ? absent("token") : all(equal(["token"], token), absent("ended"))',
    "undefined",
  ),
  one("L7", "sealed-is-a-tail", TAIL, 'last["sealed"] !== true', 'last["sealed"] !== 1'),
  one(
    "L7",
    "anchor-is-always-trusted",
    TAIL,
    "base !== undefined && !isUsed && age < LIMITS.anchorTrustedMs",
    "base !== undefined",
  ),
  one(
    "L7",
    "anchor-is-always-renewed",
    TAIL,
    "base !== undefined && !isUsed && age < LIMITS.anchorRenewableMs",
    "base !== undefined",
  ),
  one("L7", "base-is-next-number", TAIL, "Math.max(Math.floor(now * 1024), past)", "past"),
  {
    name: "anchor-after-log",
    rule: "L7",
    kinds: KINDS_OF["L7"],
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
  one(
    "L8",
    "jumps-on-one-query",
    LOG,
    "hasGap(first, segment.head) ? await this.query(queue, lane, range) : first",
    "first",
  ),
  one(
    "L8",
    "jumps-inner-holes",
    LOG,
    "if (before.offset + before.count < entry.offset && entry.offset > head)",
    "if (before.offset < 0)",
  ),
  one(
    "L9",
    "end-entry-is-a-tail",
    TAIL,
    'anchor?.["ended"] === true || last?.["end"] === true',
    'anchor?.["ended"] === true',
  ),
  one(
    "L9",
    "anchor-forgets-the-end",
    TAIL,
    'anchor?.["ended"] === true || last?.["end"] === true',
    'last?.["end"] === true',
  ),
  one(
    "L9",
    "lane-forgotten-early",
    LANES,
    'Math.max(1, ((items[0]?.["ttl"] as number | undefined) ?? 0) * 1000)',
    "1",
  ),
  one("L9", "end-overwrites", LANES, '        absent("pk"),', "        undefined,"),
  one("C1", "claim-without-head", CLAIM_FRESH, 'equal(["head"], segment.head),', ""),
  one(
    "C1",
    "claim-without-end",
    CLAIM_FRESH,
    'segment.end === undefined ? absent("end") : equal(["end"], segment.end),',
    "",
  ),
  one(
    "C1",
    "claim-of-closed",
    PLANNER,
    'segment.absent ? absent("version") : absent("closed")',
    'absent("nothing")',
    ["purges"],
  ),
  one(
    "C1",
    "own-claim-is-foreign",
    CLAIM,
    "planned.ownLease !== undefined &&",
    "planned.ownLease === null &&",
  ),
  {
    name: "first-claim-unguarded",
    rule: "C1",
    kinds: KINDS_OF["C1"],
    file: PLANNER,
    edits: [['segment.absent ? absent("version") : absent("closed")', 'absent("closed")']],
  },
  one(
    "C2",
    "reclaim-undoes-extension",
    RECLAIM,
    'equal([leaseName(lease.id), "u"], lease.until),',
    "",
  ),
  one(
    "C2",
    "reclaim-undoes-ack",
    RECLAIM,
    "equal([pendingName(lease.id)], lease.pending),\n    );\n    result.edits",
    ");\n    result.edits",
  ),
  one(
    "C2",
    "receives-stand-still",
    RECLAIM,
    "receives: from.receives + (request.leaving === undefined ? 1 : 0)",
    "receives: from.receives",
  ),
  one("C2", "reclaim-keeps-the-old", RECLAIM, "? leaseRemovals(lease.id)\n", "? []\n"),
  one(
    "C3",
    "ack-of-anything-is-done",
    ACK,
    "pending?.has(member(receipt, receipt.offset)) === true",
    "pending?.size !== 0",
  ),
  one("C3", "doubt-is-done", ACK, "lease !== undefined && lease.u > doubt.now", "old !== null", [
    "letters",
  ]),
  one(
    "C3",
    "moved-is-done",
    ACK,
    "(old !== undefined && isPendingElsewhere(receipt, old))",
    "old === null",
  ),
  one(
    "C3",
    "acks-the-closed",
    ACK,
    'all(exists("version"), absent("closed"))',
    'exists("version")',
    ["purges"],
  ),
  one("C4", "move-without-presence", MOVES, "guards: byMember", "guards: 1 > 0 ? [] : byMember"),
  one(
    "C4",
    "move-leaves-a-copy",
    MOVES,
    "isWhole ? leaseRemovals(lease.id) : [discard(pendingName(lease.id), members)]",
    "isWhole ? leaseRemovals(lease.id) : []",
  ),
  one(
    "C4",
    "release-counts-always",
    MOVES,
    'change.to === "release" && !change.countAttempt ? lease.receives - 1',
    'change.to === "release" && !change.countAttempt ? lease.receives - 2',
  ),
  one(
    "C4",
    "extends-what-left",
    MOVES,
    "equal([pendingName(lease.id)], lease.pending),\n      equal([leaseName",
    "equal([leaseName",
  ),
  one(
    "C4",
    "extension-undoes-extension",
    MOVES,
    'equal([leaseName(lease.id), "u"], lease.until),',
    "",
  ),
  one("C5", "no-skew-margin", SEGMENT, "now >= lease.until + skewMarginMs", "now >= lease.until"),
  one(
    "C6",
    "one-receive-too-many",
    RECLAIM,
    "lease.receives >= rule.maxReceives",
    "lease.receives > rule.maxReceives",
  ),
  one(
    "C6",
    "one-receive-too-few",
    RECLAIM,
    "lease.receives >= rule.maxReceives",
    "lease.receives + 1 >= rule.maxReceives",
  ),
  one("C6", "dead-lease-is-delivered", RECLAIM, "lease.leaving ?? (isDue", "(isDue"),
  one(
    "C6",
    "dead-letters-without-append",
    DEAD,
    "await this.#once.append(target.name, chunk as OnceMessage[], ttl);",
    "void [chunk, ttl];",
  ),
  one(
    "C6",
    "dead-letters-twice",
    ONCE,
    "named === undefined || named.isExpired",
    "named === undefined || named.version > 0",
  ),
  one(
    "C7",
    "closes-without-end",
    VISIT,
    "if (claim.drained) state.drained.push(start);",
    "if (claim.passed) state.drained.push(start);",
  ),
  one(
    "C7",
    "successor-is-forgotten",
    CURSOR,
    "current = await this.#replace(stand, current, [...current.segments, cutAt]);",
    "return current;",
  ),
  one(
    "C7",
    "cut-inside-an-entry",
    LOG,
    "return holding?.offset ?? segment.headEntry;",
    "return holding === undefined ? segment.start : segment.headEntry;",
  ),
  one(
    "C7",
    "listed-ones-expire",
    CURSOR,
    "if (next.generation === cursor.generation && next.segments.includes(start)) continue;",
    "",
  ),
  one(
    "C7",
    "list-without-version",
    CURSOR,
    'cursor.absent ? absent("version") : equal(["version"], cursor.version)',
    'absent("nothing")',
    ["purges", "crowd"],
  ),
  one(
    "C7",
    "absent-is-always-believed",
    CLAIM,
    "Math.abs(clock.now() - startedAt) > ABSENT_BELIEVED_MS",
    "startedAt < 0",
  ),
  one(
    "C8",
    "purge-closes-nothing",
    CURSOR,
    'const closed = await store.update("lanes", key, [set(["closed"], true)], exists("version"));',
    "const closed = { ok: true };",
  ),
  one("C8", "purge-leaves-the-absent", CURSOR, "if (!closed.ok) {", 'if (key.pk === "") {'),
  one(
    "C8",
    "next-is-left-alone",
    CURSOR,
    "if (cursor.next === undefined) {",
    "if (cursor.version >= 0) {",
  ),
  one(
    "C8",
    "purge-forgets-what-came-after",
    CURSOR,
    "carryOver(closed, next.start);",
    "carryOver([], next.start);",
  ),
  one(
    "C8",
    "switch-without-version",
    CURSOR,
    "versionGuard(cursor),\n    );\n    this.forget(stand);",
    ");\n    this.forget(stand);",
  ),
  one(
    "E1",
    "puts-without-the-name",
    ONCE,
    "group.filter((_, index) => named[index])",
    "group.filter((_, index) => named.length > index)",
  ),
  one(
    "E3",
    "leaves-the-named-place",
    ONCE,
    'if (tail === "ended" || tail.offset !== named.offset) return group;',
    "if (tail !== undefined) return group;",
  ),
  one("E3", "record-without-guard", ONCE, "      edits,\n      guard,\n", "      edits,\n"),
  one(
    "X1",
    "erases-the-pending",
    ERASE,
    "pendingOffsets(lease).every((at) => at < low || at >= high)",
    "pendingOffsets(lease).length > 0",
  ),
  one("X1", "erases-the-unclaimed", ERASE, "if (segment.head < high) return false;", ""),
  one(
    "X1",
    "erases-behind-a-cut",
    ERASE,
    "if (last?.end !== undefined && last.end < entryEnd) return false;",
    "",
  ),
  one(
    "D2",
    "record-without-version",
    CATALOG,
    'all(equal(["queueId"], record.queueId), equal(["version"], record.version))',
    'equal(["queueId"], record.queueId)',
  ),
  one("D4", "name-is-free-at-once", QUEUES, "age < LIMITS.deletedNameMs", "age < 0"),
  one(
    "M2",
    "delivers-the-invisible",
    CLAIM_FRESH,
    "message.visibleAt > now",
    "message.visibleAt > now + 60_000",
  ),
];
