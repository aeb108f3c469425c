/**
 * Items as DynamoDB's JSON, written in one pass: each change of the embedded service is journaled so.
 * (The same as `toAttributes`, with bytes as base64 and made a text, for a fraction of the time.)
 */
import { invariant } from "../core/errors.ts";
import type { Value } from "../store/port.ts";
import { isSet } from "../store/values.ts";
import type { MapValue } from "../store/values.ts";

export function itemJson(map: MapValue): string {
  let text = "";
  for (const name of Object.keys(map)) {
    const attribute = attributeJson(map[name]);
    if (attribute === undefined) continue;
    text += `${text === "" ? "" : ","}${JSON.stringify(name)}:${attribute}`;
  }
  return `{${text}}`;
}

/** `undefined` where nothing would be stored: an empty set (V1). */
function attributeJson(value: Value | undefined): string | undefined {
  if (typeof value === "string") return `{"S":${JSON.stringify(value)}}`;
  if (typeof value === "number") {
    invariant(Number.isFinite(value), "V2: a stored number is finite");
    return `{"N":"${value}"}`;
  }
  if (typeof value === "boolean") return `{"BOOL":${value}}`;
  return value === undefined ? undefined : objectJson(value);
}

function objectJson(value: Exclude<Value, string | number | boolean>): string | undefined {
  if (value instanceof Uint8Array)
    return `{"B":"${Buffer.from(value.buffer, value.byteOffset, value.length).toString("base64")}"}`;
  if (isSet(value)) return value.size === 0 ? undefined : `{"SS":${JSON.stringify([...value])}}`;
  if (!Array.isArray(value)) return `{"M":${itemJson(value as MapValue)}}`;
  const elements = (value as readonly Value[]).map((element) => {
    const attribute = attributeJson(element);
    invariant(attribute !== undefined, "V1: no element of a list is an empty set");
    return attribute;
  });
  return `{"L":[${elements.join(",")}]}`;
}
