/**
 * What each function may do, action by action and table by table.
 *
 * G1  Exactly what its code does: the policy test drives every operation and fails on an action that
 *     is used but not granted, or granted but never used. Nobody may Scan.
 */
import type { Role } from "../src/http/routes.ts";
import type { TableName } from "../src/store/port.ts";

export const FUNCTION_NAMES = ["send", "receive", "ack", "admin", "janitor"] as const;
export type FunctionName = Role | "janitor";

export type TableAction = "GetItem" | "Query" | "PutItem" | "UpdateItem" | "DeleteItem";

export const GRANTS: Readonly<
  Record<FunctionName, Readonly<Record<TableName, readonly TableAction[]>>>
> = {
  send: {
    catalog: ["GetItem"],
    lanes: ["GetItem", "Query", "PutItem", "UpdateItem"],
  },
  receive: {
    catalog: ["GetItem"],
    lanes: ["GetItem", "Query", "PutItem", "UpdateItem"],
  },
  ack: {
    catalog: ["GetItem"],
    lanes: ["GetItem", "Query", "UpdateItem"],
  },
  admin: {
    catalog: ["GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem"],
    lanes: ["GetItem", "Query", "PutItem", "UpdateItem"],
  },
  janitor: {
    catalog: ["GetItem", "Query", "PutItem", "DeleteItem"],
    lanes: ["GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem"],
  },
};
