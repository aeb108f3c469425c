/**
 * The port to the storage engine: a handful of single-item primitives, enough for every rule of the
 * protocol and no more. No transactions, no indexes, no scans.
 *
 * Owns the words in which services speak of items, conditions and edits; adapters render them
 * (DynamoDB) or interpret them (memory). One contract suite runs over all of them.
 *
 * P1  A refused condition is a value (`ok: false`), never an exception.
 * P2  `found` of a refusal is the item as it was at the refusal or later, strongly read;
 *     `undefined`: there was none.
 * P3  What is thrown is a LaneError: `throttled` and `engine-unavailable` say that a write was not
 *     applied; `outcome-unknown` that it may have been, or may still be for some seconds.
 * P4  Writes are sent once. An adapter repeats by itself only what was surely not applied.
 * P5  What is handed in stays its caller's, who may change it once the call is answered. What is handed
 *     out is shared: nobody changes it.
 */

export type TableName = "catalog" | "lanes";

export interface Key {
  readonly pk: string;
  readonly sk: string;
}

export type Value =
  | string
  | number
  | boolean
  | Uint8Array
  | ReadonlySet<string>
  | readonly Value[]
  | { readonly [name: string]: Value };

/** An item without its key. A set is never empty: an empty one is an absent attribute. */
export type Attributes = Readonly<Record<string, Value>>;
export type Item = Key & Attributes;

/** An attribute, or one member of a map attribute. Names may hold any characters. */
export type Path = readonly [string] | readonly [string, string];

export type Condition =
  | { readonly is: "exists"; readonly path: Path }
  | { readonly is: "absent"; readonly path: Path }
  | { readonly is: "equal"; readonly path: Path; readonly to: Value }
  | { readonly is: "contains"; readonly path: Path; readonly member: string }
  | { readonly is: "less"; readonly path: Path; readonly than: number }
  | { readonly is: "more"; readonly path: Path; readonly than: number }
  | { readonly is: "all"; readonly of: readonly Condition[] }
  | { readonly is: "any"; readonly of: readonly Condition[] };

export type Edit =
  | { readonly do: "set"; readonly path: Path; readonly to: Value }
  | { readonly do: "remove"; readonly path: Path }
  /** Adds members to a set attribute, creating it when absent. */
  | { readonly do: "add"; readonly name: string; readonly members: ReadonlySet<string> }
  /** Deletes members from a set attribute; no effect where it or they are absent; a set that becomes empty goes. */
  | { readonly do: "discard"; readonly name: string; readonly members: ReadonlySet<string> };

export type WriteResult =
  | {
      readonly ok: true;
      /** The item before the write; asked for by `wantOld`. */ readonly old: Item | undefined;
    }
  | { readonly ok: false; readonly found: Item | undefined };

export interface QueryRange {
  /** Inclusive bounds on `sk`. Absent: from the first, to the last. */
  readonly from?: string;
  readonly to?: string;
  readonly limit?: number;
  /** Highest `sk` first. */
  readonly reverse?: boolean;
  readonly consistent: boolean;
}

export interface QueryPage {
  readonly items: readonly Item[];
  /** The page ended before the range did, at `limit` or at 1 MB: more may follow after the last item. */
  readonly more: boolean;
}

export interface Store {
  get(table: TableName, key: Key, options: { consistent: boolean }): Promise<Item | undefined>;
  /** One page, never more than 1 MB. */
  query(table: TableName, pk: string, range: QueryRange): Promise<QueryPage>;
  put(table: TableName, item: Item, condition?: Condition): Promise<WriteResult>;
  /** Creates the item where it is absent, unless the condition forbids it. */
  update(
    table: TableName,
    key: Key,
    edits: readonly Edit[],
    condition?: Condition,
    options?: { wantOld?: boolean },
  ): Promise<WriteResult>;
  delete(table: TableName, key: Key, condition?: Condition): Promise<WriteResult>;
}

/** What an adapter reports of each request, for metering, the policy test and the bench. */
export interface StoreRequest {
  /** The IAM action's last word: `GetItem`, `Query`, `PutItem`, `UpdateItem`, `DeleteItem`. */
  readonly action: string;
  readonly table: TableName;
  readonly readUnits: number;
  readonly writeUnits: number;
  readonly items: number;
}

export const exists = (...path: Path): Condition => ({ is: "exists", path });
export const absent = (...path: Path): Condition => ({ is: "absent", path });
export const equal = (path: Path, to: Value): Condition => ({ is: "equal", path, to });
export const contains = (path: Path, member: string): Condition => ({
  is: "contains",
  path,
  member,
});
export const less = (path: Path, than: number): Condition => ({ is: "less", path, than });
export const more = (path: Path, than: number): Condition => ({ is: "more", path, than });
export const all = (...of: readonly Condition[]): Condition => ({ is: "all", of });
export const any = (...of: readonly Condition[]): Condition => ({ is: "any", of });
export const set = (path: Path, to: Value): Edit => ({ do: "set", path, to });
export const remove = (...path: Path): Edit => ({ do: "remove", path });
export const add = (name: string, members: ReadonlySet<string>): Edit => ({
  do: "add",
  name,
  members,
});
export const discard = (name: string, members: ReadonlySet<string>): Edit => ({
  do: "discard",
  name,
  members,
});
