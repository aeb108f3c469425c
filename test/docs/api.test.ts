/** docs/api.md and the README say what the tables in the source say. */
import { describe, expect, test } from "vitest";
import { CODES } from "../../src/core/errors.ts";
import { DEFAULT_SETTINGS } from "../../src/core/queue.ts";
import { ROUTES, routeKey } from "../../src/http/routes.ts";
import { read, rowsOf, section } from "./markdown.ts";

const API = read("docs/api.md");

test("the table of codes is that of the source: status, retry and sentence", () => {
  const documented = rowsOf(section(API, "## Errors")).slice(1);
  expect(documented).toEqual(
    Object.entries(CODES).map(([code, { status, retryable, title }]) => [
      `\`${code}\``,
      String(status),
      retryable ? "yes" : "no",
      title,
    ]),
  );
});

describe("calls", () => {
  test("of the API page are the routes, each once, with what a key needs", () => {
    const documented = rowsOf(section(API, "## Calls")).slice(1);
    expect(documented.map(([call, , needs]) => `${call}: ${needs}`).toSorted()).toEqual(
      ROUTES.map((route) => `\`${routeKey(route)}\`: ${needsOf(route)}`).toSorted(),
    );
  });

  test("of the README are the routes, none left out", () => {
    const calls = rowsOf(section(read("README.md"), "## The calls"))
      .slice(1)
      .flatMap(([cell = ""]) => callsOf(cell));
    expect(calls.toSorted()).toEqual(ROUTES.map(routeKey).toSorted());
  });
});

test("every setting has its row, with its default", () => {
  const documented = rowsOf(section(API, "## Queues")).slice(1);
  expect(documented.map(([setting, value]) => `${setting}: ${value}`).toSorted()).toEqual(
    Object.entries(DEFAULT_SETTINGS)
      .map(([setting, value]) => `\`${setting}\`: ${defaultOf(value)}`)
      .toSorted(),
  );
});

function needsOf(route: (typeof ROUTES)[number]): string {
  if (route.auth === "none") return "nothing";
  if (route.auth === "iam") return "IAM, or the admin key";
  if (route.action === undefined) return "to be valid";
  return route.action === "any" ? "any of its actions" : `\`${route.action}\``;
}

/** "`PUT`, `PATCH /v1/x`" and "`GET /a`, `GET /b`" in full. */
function callsOf(cell: string): string[] {
  const calls: string[] = [];
  let waiting: string[] = [];
  for (const [, code = ""] of cell.matchAll(/`([^`]+)`/g)) {
    const [method = "", path] = code.split(" ");
    waiting.push(method);
    if (path === undefined) continue;
    calls.push(...waiting.map((one) => `${one} ${path}`));
    waiting = [];
  }
  return calls;
}

const defaultOf = (value: unknown): string => {
  if (typeof value === "number") return value.toLocaleString("en-US");
  return value === null ? "null" : `\`${JSON.stringify(value)}\``;
};
