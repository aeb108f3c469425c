/**
 * Values as DynamoDB keeps them: what a stored value looks like, how many bytes it counts for, when
 * two are equal. Both adapters normalise through `stored`, so that they agree by construction.
 *
 * V1  An empty set is an absent attribute; inside a list it cannot be one, and is refused.
 * V2  Numbers are finite and -0 is 0.
 * V3  `equal` knows scalars, bytes and sets: dynalite cannot compare lists and maps.
 * V4  Nothing is named `__proto__`: dynalite loses it. Names that users choose are not names here.
 */
import { invariant } from "../core/errors.ts";
import type { Item, Value } from "./port.ts";

const ITEM_BYTES_MAX = 400 * 1024;

export type MapValue = { readonly [name: string]: Value };

export const isSet = (value: Value | undefined): value is ReadonlySet<string> =>
  value instanceof Set;

export const isMap = (value: Value | undefined): value is MapValue =>
  typeof value === "object" &&
  !Array.isArray(value) &&
  !(value instanceof Uint8Array) &&
  !(value instanceof Set);

/** An own copy, normalised; `undefined` where nothing would be stored. */
export function stored(value: Value | undefined): Value | undefined {
  if (typeof value === "object") return storedObject(value);
  if (typeof value !== "number") return value;
  invariant(Number.isFinite(value), "V2: a stored number is finite");
  return value === 0 ? 0 : value;
}

export function assign<T>(target: Record<string, T>, name: string, value: T): void {
  invariant(name !== "__proto__", "V4: nothing is named __proto__");
  target[name] = value;
}

export const own = (map: MapValue, name: string): Value | undefined =>
  Object.hasOwn(map, name) ? map[name] : undefined;

function storedMap(map: MapValue): Record<string, Value> {
  const copy: Record<string, Value> = {};
  for (const name of Object.keys(map)) {
    const value = stored(map[name]);
    if (value !== undefined) assign(copy, name, value);
  }
  return copy;
}

export const storedItem = (item: Item): Item => storedMap(item) as Item;

/**
 * A copy that shares its values, to be changed: many names of such items come and go. Without a prototype,
 * V8 keeps them in a table from the start, which is copied and changed some times faster, and takes more
 * memory than items that are put once should.
 */
export function shallowCopyOf(item: Item): Record<string, Value> {
  const copy = Object.create(null) as Record<string, Value>;
  for (const name of Object.keys(item)) {
    const value = item[name];
    if (value !== undefined) copy[name] = value;
  }
  return copy;
}

export function valuesEqual(left: Value | undefined, right: Value): boolean {
  if (left === undefined || left === right) return left === right;
  if (isSet(left)) {
    if (!isSet(right) || left.size !== right.size) return false;
    for (const member of left) if (!right.has(member)) return false;
    return true;
  }
  return (
    left instanceof Uint8Array &&
    right instanceof Uint8Array &&
    left.length === right.length &&
    left.every((byte, index) => byte === right[index])
  );
}

export function comparable(value: Value): boolean {
  return typeof value !== "object" || isSet(value) || value instanceof Uint8Array;
}

/** As `itemBytes`, of an item that DynamoDB would take: it refuses more than 400 KB. */
export function checkedItemBytes(item: Item): number {
  const bytes = itemBytes(item);
  invariant(bytes <= ITEM_BYTES_MAX, "an item is at most 400 KB");
  return bytes;
}

/** DynamoDB's size of an item, key and attribute names included; its limit and all units rest on it. */
export function itemBytes(item: Item): number {
  let bytes = 0;
  for (const name of Object.keys(item)) bytes += textBytes(name) + valueBytes(item[name]);
  return bytes;
}

function valueBytes(value: Value | undefined): number {
  if (typeof value === "string") return textBytes(value);
  if (typeof value === "number") return numberBytes(value);
  if (typeof value === "object") return objectBytes(value);
  return value === undefined ? 0 : 1;
}

function objectBytes(value: Exclude<Value, string | number | boolean>): number {
  if (value instanceof Uint8Array) return value.length;
  let bytes = 0;
  if (isSet(value)) {
    for (const member of value) bytes += textBytes(member);
    return bytes;
  }
  if (Array.isArray(value)) {
    for (const element of value as readonly Value[]) bytes += 1 + valueBytes(element);
    return 3 + bytes;
  }
  const map = value as MapValue;
  for (const name of Object.keys(map)) bytes += 1 + textBytes(name) + valueBytes(map[name]);
  return 3 + bytes;
}

/** Names and members are mostly short and ASCII, which is counted faster than asked of `Buffer`. */
function textBytes(text: string): number {
  if (text.length > 64) return Buffer.byteLength(text);
  for (let at = 0; at < text.length; at++)
    if (text.charCodeAt(at) > 0x7f) return Buffer.byteLength(text);
  return text.length;
}

/** A byte for each two decimal digits (pairs stand at even exponents), one more, and one for a sign. */
function numberBytes(value: number): number {
  if (value === 0) return 1;
  if (Number.isSafeInteger(value)) return integerBytes(value);
  const [mantissa = "", exponent = "0"] = Math.abs(value).toExponential().split("e");
  const digits = mantissa.length === 1 ? 1 : mantissa.length - 1;
  const straddles = digits % 2 === 0 && Number(exponent) % 2 === 0 ? 1 : 0;
  return 1 + Math.ceil(digits / 2) + straddles + (value < 0 ? 1 : 0);
}

function integerBytes(value: number): number {
  let left = Math.abs(value);
  while (left % 100 === 0) left /= 100;
  let pairs = 0;
  while (left >= 1) {
    left = Math.floor(left / 100);
    pairs += 1;
  }
  return 1 + pairs + (value < 0 ? 1 : 0);
}

function storedObject(value: Exclude<Value, string | number | boolean>): Value | undefined {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (isSet(value)) return value.size === 0 ? undefined : new Set(value);
  if (Array.isArray(value)) {
    return (value as readonly Value[]).map((element) => {
      const copy = stored(element);
      invariant(copy !== undefined, "V1: no element of a list is an empty set");
      return copy;
    });
  }
  return storedMap(value as MapValue);
}

/** DynamoDB orders strings by their UTF-8 bytes; UTF-16 differs from that only at surrogates. */
export function compareKeys(left: string, right: string): number {
  if (left === right) return 0;
  const length = Math.min(left.length, right.length);
  for (let index = 0; index < length; index++) {
    const a = left.charCodeAt(index);
    const b = right.charCodeAt(index);
    if (a !== b) return codePointRank(a) - codePointRank(b);
  }
  return left.length - right.length;
}

const codePointRank = (unit: number): number => {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
};
