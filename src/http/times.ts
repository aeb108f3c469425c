/** Times in requests: ISO 8601 with a zone, and ones that exist. */

export const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/;
export const NO_ISO_TIME = "must be an ISO 8601 time with its zone, as in 2030-01-31T12:00:00Z";
export const NO_REAL_TIME = "must be a time that exists, as in 2030-01-31T12:00:00Z";

/** What is wrong with a time; `undefined`: nothing. */
export function timeError(value: unknown): string | undefined {
  if (typeof value !== "string") return "must be a string";
  if (!ISO_TIME.test(value)) return NO_ISO_TIME;
  return isRealTime(value) ? undefined : NO_REAL_TIME;
}

/** `Date.parse` takes the 30th of February for the 2nd of March. */
export function isRealTime(time: string): boolean {
  const date = time.slice(0, 10);
  const midnight = new Date(`${date}T00:00:00Z`);
  return (
    !Number.isNaN(Date.parse(time)) &&
    !Number.isNaN(midnight.getTime()) &&
    midnight.toISOString().startsWith(date)
  );
}
