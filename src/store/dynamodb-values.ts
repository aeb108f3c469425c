/**
 * Items to DynamoDB's attribute values and back, in one pass each: this is on every request's path.
 * (util-dynamodb's marshaller would return 2^53 as a BigInt, and cannot leave out an empty set.)
 */
import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { LaneError, invariant } from "../core/errors.ts";
import type { Item, Key, Value } from "./port.ts";
import { assign, isSet } from "./values.ts";
import type { MapValue } from "./values.ts";

type Attribute = AttributeValue;
type AttributeMap = Record<string, Attribute>;

export function toAttributes(map: MapValue): AttributeMap {
  const attributes: AttributeMap = {};
  for (const name of Object.keys(map)) {
    const attribute = toAttribute(map[name]);
    if (attribute !== undefined) assign(attributes, name, attribute);
  }
  return attributes;
}

export const toKey = ({ pk, sk }: Key): AttributeMap => ({ pk: { S: pk }, sk: { S: sk } });

/** `undefined` where nothing would be stored: an empty set (V1). */
export function toAttribute(value: Value | undefined): Attribute | undefined {
  if (typeof value === "string") return { S: value };
  if (typeof value === "number") {
    invariant(Number.isFinite(value), "V2: a stored number is finite");
    return { N: value === 0 ? "0" : String(value) };
  }
  if (typeof value === "boolean") return { BOOL: value };
  return value === undefined ? undefined : objectAttribute(value);
}

function fromAttributes(attributes: AttributeMap): Record<string, Value> {
  const map: Record<string, Value> = {};
  for (const name of Object.keys(attributes)) {
    const attribute = attributes[name];
    if (attribute !== undefined) assign(map, name, fromAttribute(attribute));
  }
  return map;
}

export const fromItem = (attributes: AttributeMap): Item => fromAttributes(attributes) as Item;

function fromAttribute(attribute: Attribute): Value {
  if (attribute.S !== undefined) return attribute.S;
  if (attribute.N !== undefined) return Number(attribute.N);
  if (attribute.B !== undefined) return attribute.B;
  if (attribute.SS !== undefined) return new Set(attribute.SS);
  if (attribute.M !== undefined) return fromAttributes(attribute.M);
  if (attribute.L !== undefined) return attribute.L.map(fromAttribute);
  if (attribute.BOOL !== undefined) return attribute.BOOL;
  throw new LaneError("internal", `The table holds a value that LaneMQ never writes.`);
}

function objectAttribute(value: Exclude<Value, string | number | boolean>): Attribute | undefined {
  if (value instanceof Uint8Array) return { B: value };
  if (isSet(value)) return value.size === 0 ? undefined : { SS: [...value] };
  if (Array.isArray(value)) {
    return {
      L: (value as readonly Value[]).map((element) => {
        const attribute = toAttribute(element);
        invariant(attribute !== undefined, "V1: no element of a list is an empty set");
        return attribute;
      }),
    };
  }
  return { M: toAttributes(value as MapValue) };
}
