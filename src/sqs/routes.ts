/**
 * The routes of the SQS face. Paths are of these shapes only: HTTP API decodes `rawPath`, so that a
 * path with anything to encode could not be signed unambiguously.
 */
import type { FaceName, Route } from "../http/routes.ts";

export const SQS_ROUTES: readonly (Pick<Route, "method" | "path"> & {
  readonly role: FaceName;
})[] = [
  { method: "POST", path: "/", role: "sqs" },
  { method: "GET", path: "/", role: "sqs" },
  { method: "POST", path: "/{account}/{queue}", role: "sqs" },
  { method: "GET", path: "/{account}/{queue}", role: "sqs" },
];
