/**
 * Conditions and edits as DynamoDB evaluates them, on plain values. What DynamoDB refuses as invalid
 * (an edit below an absent map, overlapping paths, a set operation on a number) fails here as well:
 * a simulation must not pass on what production would reject.
 */
import { invariant } from "../core/errors.ts";
import type { Condition, Edit, Item, Path, Value } from "./port.ts";
import {
  assign,
  comparable,
  isMap,
  isSet,
  own,
  shallowCopyOf,
  stored,
  valuesEqual,
} from "./values.ts";

export function holds(condition: Condition, item: Item | undefined): boolean {
  switch (condition.is) {
    case "exists":
      return at(item, condition.path) !== undefined;
    case "absent":
      return at(item, condition.path) === undefined;
    case "equal": {
      invariant(comparable(condition.to), "V3: equal compares scalars, bytes and sets");
      const to = stored(condition.to);
      const value = at(item, condition.path);
      return to === undefined ? value === undefined : valuesEqual(value, to);
    }
    case "contains":
      return includes(at(item, condition.path), condition.member);
    case "less": {
      const value = at(item, condition.path);
      return typeof value === "number" && value < condition.than;
    }
    case "more": {
      const value = at(item, condition.path);
      return typeof value === "number" && value > condition.than;
    }
    case "all":
      return condition.of.every((part) => holds(part, item));
    case "any":
      invariant(condition.of.length > 0, "a condition is not any of nothing");
      return condition.of.some((part) => holds(part, item));
    default:
      return condition satisfies never;
  }
}

/** A new item; values that no edit touches are shared with the old one. */
export function edited(item: Item, edits: readonly Edit[]): Item {
  const next = shallowCopyOf(item);
  for (const edit of edits) {
    switch (edit.do) {
      case "set":
        put(next, edit.path, stored(edit.to));
        break;
      case "remove":
        put(next, edit.path, undefined);
        break;
      case "add":
        if (edit.members.size > 0) {
          const members = membersOf(next, edit.name);
          assign(next, edit.name, new Set([...members, ...edit.members]));
        }
        break;
      case "discard":
        discard(next, edit.name, edit.members);
        break;
    }
  }
  return next as Item;
}

function at(item: Item | undefined, [name, member]: Path): Value | undefined {
  if (item === undefined) return undefined;
  const value = own(item, name);
  if (member === undefined) return value;
  return isMap(value) ? own(value, member) : undefined;
}

function includes(value: Value | undefined, member: string): boolean {
  if (isSet(value)) return value.has(member);
  return (typeof value === "string" || Array.isArray(value)) && value.includes(member);
}

function put(item: Record<string, Value>, [name, member]: Path, value: Value | undefined): void {
  if (member === undefined) {
    if (value === undefined) delete item[name];
    else assign(item, name, value);
    return;
  }
  const map = own(item, name);
  invariant(isMap(map), `an edit below ${name} needs a map there`);
  const copy: Record<string, Value> = { ...map };
  put(copy, [member], value);
  assign(item, name, copy);
}

function discard(item: Record<string, Value>, name: string, gone: ReadonlySet<string>): void {
  if (gone.size === 0) return;
  const left = new Set(membersOf(item, name));
  for (const member of gone) left.delete(member);
  put(item, [name], left.size === 0 ? undefined : left);
}

function membersOf(item: Record<string, Value>, name: string): ReadonlySet<string> {
  const value = own(item, name);
  invariant(value === undefined || isSet(value), `set operations on ${name} need a set there`);
  return value ?? new Set();
}

/** DynamoDB checks this before it looks at the item or the condition. */
export function refuseOverlaps(edits: readonly Edit[]): void {
  const whole = new Set<string>();
  const below = new Map<string, Set<string>>();
  for (const edit of edits) {
    if ("members" in edit && edit.members.size === 0) continue;
    const [name, member] = "path" in edit ? edit.path : [edit.name];
    invariant(name !== "pk" && name !== "sk", "no edit touches the key");
    const members = below.get(name);
    const overlaps =
      whole.has(name) || (member === undefined ? members !== undefined : members?.has(member));
    invariant(overlaps !== true, `two edits overlap at ${name}`);
    if (member === undefined) whole.add(name);
    else if (members === undefined) below.set(name, new Set([member]));
    else members.add(member);
  }
}
