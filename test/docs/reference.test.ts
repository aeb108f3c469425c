/** Hunts a reference that is not that of the service. */
import { expect, test } from "vitest";
import { referencePage } from "../../bin/reference.ts";
import { ROUTES, routeKey } from "../../src/http/routes.ts";
import { read } from "./markdown.ts";

const PAGE = read("docs/reference.md");

test("docs/reference.md is what bin/openapi.ts writes", async () => {
  expect(PAGE).toBe(await referencePage());
});

test("every call is there, once, under its name", () => {
  for (const route of ROUTES) {
    expect(PAGE.split(`### ${route.operation}\n\n\`${routeKey(route)}\``).length).toBe(2);
  }
});
