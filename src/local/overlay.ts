/**
 * A page of a query as it is with changes laid over that the engine may not have yet.
 *
 * I5  Behind where a page ends nothing is known of the engine's items, so that no change there is shown.
 */
import type { Item, QueryPage, QueryRange } from "../store/port.ts";
import { compareKeys } from "../store/values.ts";

/** What items of a partition are by now, by `sk`; `undefined`: there is none. */
export type Changes = ReadonlyMap<string, Item | undefined>;

export function laidOver(page: QueryPage, range: QueryRange, changes: Changes): QueryPage {
  const { from, to, limit = Number.POSITIVE_INFINITY, reverse = false } = range;
  const last = page.more ? page.items.at(-1)?.sk : undefined;
  if (page.more && last === undefined) return page;
  const low = reverse ? (last ?? from) : from;
  const high = reverse ? to : (last ?? to);
  const items = new Map(page.items.map((item) => [item.sk, item]));
  let isChanged = false;
  for (const [sk, item] of changes) {
    if (!isWithin(sk, low, high)) continue;
    isChanged = true;
    if (item === undefined) items.delete(sk);
    else items.set(sk, item);
  }
  if (!isChanged && page.items.length <= limit) return page;
  const sorted = [...items.values()].sort((a, b) =>
    reverse ? compareKeys(b.sk, a.sk) : compareKeys(a.sk, b.sk),
  );
  return sorted.length > limit
    ? { items: sorted.slice(0, limit), more: true }
    : { items: sorted, more: page.more };
}

/** What the engine is asked, so that as many as are wanted are left when what has gone is taken out. */
export function withRoom(range: QueryRange, changes: Changes): QueryRange {
  if (range.limit === undefined) return range;
  let gone = 0;
  for (const item of changes.values()) if (item === undefined) gone += 1;
  return gone === 0 ? range : { ...range, limit: range.limit + gone };
}

export const isWithin = (sk: string, from: string | undefined, to: string | undefined): boolean =>
  (from === undefined || compareKeys(sk, from) >= 0) &&
  (to === undefined || compareKeys(sk, to) <= 0);
