/** Words for amounts. */

/** As in `2 h 5 min`. */
export function age(seconds: number): string {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}

/** As in `12,000`. */
export const grouped = (count: number): string => count.toLocaleString("en-US");

export const amount = (count: number, what: string): string =>
  `${grouped(count)} ${what}${count === 1 ? "" : "s"}`;

/** A body on one line. */
export function bodyText(body: unknown): string {
  if (body instanceof Uint8Array) return `(${amount(body.length, "byte")})`;
  return typeof body === "string" ? body : JSON.stringify(body);
}
