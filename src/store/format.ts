/**
 * The version of the stored format, and the check of it that every instance makes on its start.
 *
 * Owns one item of `catalog`: pk `format`, sk `-`, attribute `version`. It never ends.
 *
 * F1  Data written by a newer version is refused before anything of it is read or written.
 * F2  The version only grows: it is put where it is absent and never written over here.
 * F3  An absent item means that nothing is stored yet. A role that may not write the catalog
 *     (`create: false`) goes on; the first that may, puts it.
 */
import { LaneError } from "../core/errors.ts";
import { FORMAT } from "./keys.ts";
import { absent, type Item, type Store } from "./port.ts";

export const FORMAT_VERSION = 1;

/** @throws LaneError `internal` if the data is of a format that this version does not know. */
export async function checkFormat(
  store: Store,
  options: { create: boolean } = { create: true },
): Promise<void> {
  const item = await store.get("catalog", FORMAT, { consistent: true });
  if (item !== undefined) return refuseUnknown(item);
  if (!options.create) return;
  const put = await store.put("catalog", { ...FORMAT, version: FORMAT_VERSION }, absent("pk"));
  // Another instance was first; it may be a newer one.
  if (!put.ok && put.found !== undefined) refuseUnknown(put.found);
}

function refuseUnknown(item: Item): void {
  const { version } = item;
  if (typeof version === "number" && version <= FORMAT_VERSION) return;
  throw new LaneError(
    "internal",
    typeof version === "number"
      ? `The stored data has format ${version}; this version of LaneMQ knows formats up to ${FORMAT_VERSION}. Start a newer LaneMQ on it.`
      : "The stored data has a format record that this version of LaneMQ cannot read.",
  );
}
