/** Segments, entries and plans in memory: what the planner decides is applied to a real item. */
import type { StoredMessage } from "../../src/core/message.ts";
import { plan } from "../../src/core/planner.ts";
import type { ClaimRequest, LogEntry, Plan, PlanInput } from "../../src/core/plan.ts";
import { parseSegment, segmentAttributes } from "../../src/core/segment.ts";
import type { Lease, Segment } from "../../src/core/segment.ts";
import { epochMs, offset } from "../../src/core/types.ts";
import type { Offset } from "../../src/core/types.ts";
import { createMemoryStore } from "../../src/store/memory.ts";
import { all } from "../../src/store/port.ts";
import type { Condition, Edit, Item } from "../../src/store/port.ts";

export const NOW = epochMs(1_800_000_000_000);
const LATER = epochMs(NOW + 3_600_000);

export const stored = (over: Partial<StoredMessage> = {}): StoredMessage => ({
  kind: "text",
  body: Buffer.from("x"),
  contentType: "text/plain; charset=utf-8",
  headers: {},
  sentAt: NOW,
  expiresAt: LATER,
  visibleAt: NOW,
  ...over,
});

export const entry = (
  at: number,
  messages: number | readonly StoredMessage[],
  over: Partial<LogEntry> = {},
): LogEntry => {
  const list =
    typeof messages === "number" ? Array.from({ length: messages }, () => stored()) : messages;
  return {
    offset: offset(at),
    count: list.length,
    sentAt: NOW,
    messages: list,
    ttl: 0,
    end: false,
    ...over,
  };
};

export const endEntry = (at: number): LogEntry =>
  entry(at, 0, { end: true, messages: undefined, count: 0 });

export const segment = (over: Partial<Segment> = {}): Segment => ({
  start: offset(0),
  absent: false,
  head: offset(0),
  headEntry: offset(0),
  end: undefined,
  closed: false,
  version: 7,
  held: new Map(),
  leases: new Map(),
  spent: [],
  ...over,
});

export const lease = (id: string, pending: readonly number[], over: Partial<Lease> = {}): Lease => {
  const from = over.entry ?? offset(0);
  return {
    id,
    until: NOW - 1,
    receives: 1,
    entry: from,
    firstAt: epochMs(NOW - 60_000),
    leaving: undefined,
    waiting: false,
    attempt: undefined,
    isSplit: false,
    pending: new Set(pending.map((at) => (at - from).toString(36))),
    ...over,
  };
};

export const holding = (...leases: readonly Lease[]): ReadonlyMap<string, Lease> =>
  new Map(leases.map((one) => [one.id, one]));

export const request = (max: number, over: Partial<ClaimRequest> = {}): ClaimRequest => ({
  max,
  maxBytes: 4_000_000,
  leaseMs: 30_000,
  ...over,
});

export function planOf(over: Partial<PlanInput>): Plan {
  let ids = 0;
  const usual = {
    segment: segment(),
    fresh: [],
    exhausted: false,
    startedAt: NOW,
    lookUp: () => stored(),
    freshFirst: false,
    walked: undefined,
    accepts: () => true as const,
    passFreely: 0,
    order: "none" as const,
    heldEntries: () => undefined,
    blocksAfter: null,
    requests: [request(10)],
    now: NOW,
    skewMarginMs: 0,
    deadLetter: null,
    backoff: null,
    missing: new Set<string>(),
    newLeaseId: () => `new${ids++}`,
  };
  return plan({ ...usual, ...over });
}

export const offsetsOf = (planned: Plan): number[][] =>
  planned.deliveries.map((given) => given.map((one): number => one.offset));

const KEY = { pk: "segment", sk: "-" };

export const itemOf = (one: Segment): Item | undefined =>
  one.absent
    ? undefined
    : {
        ...KEY,
        ...segmentAttributes(one),
        ...(one.closed ? { closed: true } : {}),
        ...Object.fromEntries(
          one.spent.map((id) => [`x#${id}`, { u: 1, r: 1, e: one.start, f: NOW }]),
        ),
      };

/** What the item is after the change; `refused`: a guard did not hold of it. */
export async function applied(
  actual: Segment,
  change: { edits: readonly Edit[]; guards: readonly Condition[] },
): Promise<Segment | "refused"> {
  const store = createMemoryStore();
  const item = itemOf(actual);
  if (item !== undefined) await store.put("lanes", item);
  const { ok } = await store.update("lanes", KEY, change.edits, all(...change.guards));
  return ok
    ? parseSegment(actual.start, await store.get("lanes", KEY, { consistent: true }))
    : "refused";
}

export async function appliedTo(
  actual: Segment,
  change: { edits: readonly Edit[]; guards: readonly Condition[] },
): Promise<Segment> {
  const after = await applied(actual, change);
  if (after === "refused") throw new Error("the change was refused");
  return after;
}

/** Every pending offset, by lease. */
export const pendingOf = (one: Segment): Record<string, number[]> =>
  Object.fromEntries(
    [...one.leases].map(([id, held]) => [
      id,
      [...held.pending].map((text) => held.entry + Number.parseInt(text, 36)).sort((a, b) => a - b),
    ]),
  );

export const at = (value: number): Offset => offset(value);
