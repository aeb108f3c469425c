/** What scheduled messages, expiry and back-off rest on. */
import { damages } from "./mutant.ts";
import type { Mutant } from "./mutant.ts";

const PROMOTER = "src/service/promoter.ts";
const TIMERS = "src/service/timers.ts";
const RECLAIM = "src/core/reclaim.ts";
const FRESH = "src/core/claim-fresh.ts";

const timers = damages(["timers"]);
const expiry = damages(["expiry"]);

export const TIME_MUTANTS: readonly Mutant[] = [
  timers(
    "T1",
    "promoted-place-is-not-settled",
    PROMOTER,
    "if (item !== undefined) await this.#settle(record, shard, lane, item);",
    "",
  ),
  timers(
    "T1",
    "named-place-is-forgotten",
    PROMOTER,
    "if (intent !== undefined && !isSettled) {",
    "if (intent !== undefined && version < 0) {",
  ),
  timers(
    "T1",
    "promoters-do-not-see-each-other",
    PROMOTER,
    'const guard = version === 0 ? absent("version") : equal(["version"], version);',
    'const guard = version < 0 ? absent("version") : undefined;',
  ),
  timers(
    "T2",
    "promotion-is-not-written-down",
    PROMOTER,
    'await this.#again(() => this.#deps.store.put("lanes", item));',
    "void item;",
  ),
  timers(
    "T2",
    "what-was-promoted-is-not-looked-up",
    PROMOTER,
    "const fresh = await this.#neverPromoted(queueId, shard, timers);",
    "const fresh = timers;",
  ),
  {
    ...timers("T3", "cancelled-at-the-last-moment", TIMERS, "", ""),
    edits: [
      ["this.#deps.clock.now() < LIMITS.cancelMarginMs", "this.#deps.clock.now() < -60_000"],
      [
        "this.#deps.clock.now() >= place.at - this.#deps.skewMarginMs",
        "this.#deps.clock.now() < 0",
      ],
    ],
  },
  timers(
    "T6",
    "cancelling-leaves-no-mark",
    TIMERS,
    'await store.update("lanes", key, edits, guard);',
    'await store.delete("lanes", key, guard);',
  ),
  timers(
    "T6",
    "marks-go-at-once",
    PROMOTER,
    'now - (item["putAt"] as number) > LIMITS.timerCopiesMs',
    'now > (item["putAt"] as number)',
    ["corners"],
  ),
  expiry(
    "C6",
    "expired-in-a-lease-is-dropped",
    RECLAIM,
    "else if (keeps) expired.push({ offset: at, message });",
    "",
  ),
  expiry(
    "C6",
    "expired-on-its-way-is-dropped",
    RECLAIM,
    "|| isLeavingExpired || staysDead)",
    "|| (isLeavingExpired && staysDead))",
  ),
  expiry(
    "C6",
    "expired-at-the-head-is-dropped",
    FRESH,
    "message.expiresAt <= now && leaving !== undefined",
    "message.expiresAt <= 0 && leaving !== undefined",
  ),
  expiry(
    "C6",
    "what-lives-leaves",
    FRESH,
    "message.expiresAt <= now && leaving !== undefined",
    "message.expiresAt <= now + 20_000 && leaving !== undefined",
  ),
  expiry(
    "L4",
    "unread-is-not-kept",
    "src/core/queue.ts",
    '(onExpired === "deadLetter" ? LIMITS.unreadKeptMs : 0)',
    '(onExpired === "deadLetter" ? 0 : 0)',
  ),
  expiry(
    "R4",
    "nothing-waits-for-its-next-attempt",
    "src/core/backoff.ts",
    "const waits = backoff !== null &&",
    "const waits = backoff !== null && isLast &&",
  ),
];
