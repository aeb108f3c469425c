/** A store between a service and the engine that does to chosen calls what a test wants. */
import type { Attributes, Edit, Item, QueryPage, Store, TableName } from "../../src/store/port.ts";

export interface Call {
  readonly op: "get" | "query" | "put" | "update" | "delete";
  readonly table: TableName;
  readonly pk: string;
  readonly sk: string;
  /** Of a put. */
  readonly item?: Item;
  /** Of an update: what it sets, by name. */
  readonly sets?: Attributes;
}

export interface Fault {
  /** Comes before the call. */
  readonly before?: () => Promise<unknown>;
  /** What the caller gets instead of an answer. */
  readonly throws?: () => Error;
  /** The call takes effect nevertheless. */
  readonly applied?: boolean;
  /** Comes after the call, before its caller hears of it. */
  readonly after?: () => Promise<unknown>;
  /** What the caller of a query sees of the page. */
  readonly show?: (page: QueryPage) => QueryPage;
}

export interface Tampered {
  readonly store: Store;
  readonly calls: Call[];
}

/** `judge` says what is to happen to a call; nothing: it goes through. */
export function tampered(store: Store, judge: (call: Call) => Fault | undefined): Tampered {
  const calls: Call[] = [];
  const go = async <T>(call: Call, act: () => Promise<T>): Promise<T> => {
    calls.push(call);
    const fault = judge(call);
    await fault?.before?.();
    if (fault?.throws === undefined || fault.applied === true) {
      const answer = await act();
      await fault?.after?.();
      if (fault?.throws === undefined) return answer;
    }
    throw fault.throws();
  };
  return {
    calls,
    store: {
      get: (table, key, options) =>
        go({ op: "get", table, ...key }, () => store.get(table, key, options)),
      query: async (table, pk, range) => {
        const call: Call = { op: "query", table, pk, sk: range.from ?? "" };
        calls.push(call);
        const fault = judge(call);
        await fault?.before?.();
        if (fault?.throws !== undefined) throw fault.throws();
        const page = await store.query(table, pk, range);
        await fault?.after?.();
        return fault?.show === undefined ? page : fault.show(page);
      },
      put: (table, item, condition) =>
        go({ op: "put", table, pk: item.pk, sk: item.sk, item }, () =>
          store.put(table, item, condition),
        ),
      update: (table, key, edits, condition, options) =>
        go({ op: "update", table, ...key, sets: setsOf(edits) }, () =>
          store.update(table, key, edits, condition, options),
        ),
      delete: (table, key, condition) =>
        go({ op: "delete", table, ...key }, () => store.delete(table, key, condition)),
    },
  };
}

/** The first `times` calls that match are tampered with. */
export function first(
  times: number,
  matches: (call: Call) => boolean,
  fault: Fault,
): (call: Call) => Fault | undefined {
  let left = times;
  return (call) => {
    if (left <= 0 || !matches(call)) return undefined;
    left -= 1;
    return fault;
  };
}

export const isLogPut = (call: Call): boolean => call.op === "put" && call.pk.startsWith("log#");
export const isLogQuery = (call: Call): boolean =>
  call.op === "query" && call.pk.startsWith("log#");
export const isSegmentUpdate = (call: Call): boolean =>
  call.op === "update" && call.pk.startsWith("cursor#") && call.sk.includes("#");

const setsOf = (edits: readonly Edit[]): Attributes =>
  Object.fromEntries(edits.flatMap((edit) => (edit.do === "set" ? [[edit.path[0], edit.to]] : [])));

/** A point that a test opens. */
export function gate(): { readonly closed: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const closed = new Promise<void>((resolve) => (open = resolve));
  return { closed, open: () => open() };
}
