/**
 * Message bodies of a wanted size from real data: the USGS earthquakes of the package `vega-datasets`.
 *
 * B1  No body is repeated: body `n` takes place and id from record `n mod 1,707` and time, size and
 *     measurements from another, further along with each pass through the file, so that every pair of
 *     records occurs once. On the first pass both are the same one: the record itself.
 * B2  A body has at least the size asked for: fields are added in a fixed order until it is reached.
 *     What a file of 1,707 records cannot fill comes from further records, listed under `nearby`.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import type { OutgoingMessage } from "../src/core/message.ts";

export interface Earthquake {
  readonly id: string;
  readonly properties: Readonly<Record<string, string | number | null>>;
  readonly geometry: { readonly coordinates: readonly number[] };
}

/** The package's own loader would fetch them over the network. */
export function earthquakes(): readonly Earthquake[] {
  const entry = pathToFileURL(createRequire(import.meta.url).resolve("vega-datasets"));
  const file = new URL("../data/earthquakes.json", entry);
  const { features } = JSON.parse(readFileSync(file, "utf8")) as { features: Earthquake[] };
  return features;
}

/** From the one record: where; from the other: when and how much. */
const WHERE = ["net", "place", "status", "tz"];
const WHEN = ["time", "mag", "magType", "rms", "gap", "dmin", "nst", "sig", "tsunami", "updated"];
const MORE = ["type", "title", "ids", "sources", "types", "detail", "url", "felt", "cdi", "mmi"];

/** Makes body `n`, for any `n` below 1,707², of at least `bytes` bytes of JSON. */
export function payloads(bytes: number): (n: number) => string {
  const records = earthquakes();
  const at = (index: number): Earthquake => records[index % records.length] as Earthquake;
  return (n) => {
    const pass = Math.floor(n / records.length);
    const one = at(n);
    const other = at(n + pass);
    const parts = [`"id":${JSON.stringify(one.id)}`];
    let length = 2 + parts.join().length;
    const isShort = (): boolean => length < bytes;
    const add = (name: string, value: unknown): void => {
      if (!isShort()) return;
      const part = `${JSON.stringify(name)}:${JSON.stringify(value ?? null)}`;
      parts.push(part);
      length += part.length + 1;
    };
    // These two come first, for they tell any two bodies apart (B1).
    add("time", other.properties["time"]);
    add("coordinates", one.geometry.coordinates);
    for (const name of WHERE) add(name, one.properties[name]);
    for (const name of WHEN.slice(1)) add(name, other.properties[name]);
    for (const name of MORE) add(name, one.properties[name]);
    for (let step = 1; isShort(); step++) {
      const near = at(n + step);
      add(`nearby${step}`, { ...near.properties, coordinates: near.geometry.coordinates });
    }
    return `{${parts.join()}}`;
  };
}

export const message = (body: string): OutgoingMessage => ({
  kind: "json",
  body: Buffer.from(body),
  contentType: "application/json",
  headers: {},
});

export const messages = (
  payload: (n: number) => string,
  from: number,
  count: number,
): OutgoingMessage[] => Array.from({ length: count }, (_, index) => message(payload(from + index)));
