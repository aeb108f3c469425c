/**
 * How a headers exchange compares a binding's headers with a message's.
 *
 * `all` and `any` pass over headers of the binding whose names begin with `x-`, as RabbitMQ does;
 * `all-with-x` and `any-with-x` do not. Without any header, `all` matches everything and `any` nothing.
 */
import type { HeaderMatch } from "./exchange.ts";

export type HeaderTest = (headers: Readonly<Record<string, string>>) => boolean;

/** A header that is null only has to be there. */
export function headerTest(
  wanted: Readonly<Record<string, string | null>>,
  match: HeaderMatch,
): HeaderTest {
  const withX = match === "all-with-x" || match === "any-with-x";
  const entries = Object.entries(wanted).filter(([name]) => withX || !name.startsWith("x-"));
  const holds = (
    headers: Readonly<Record<string, string>>,
    [name, value]: readonly [string, string | null],
  ): boolean => Object.hasOwn(headers, name) && (value === null || headers[name] === value);
  return match === "all" || match === "all-with-x"
    ? (headers) => entries.every((entry) => holds(headers, entry))
    : (headers) => entries.some((entry) => holds(headers, entry));
}
