/**
 * What each function may do, action by action and table by table; and who may use the key that the
 * secrets of access keys are sealed under.
 *
 * G1  Exactly what its code does: the policy test drives every operation and fails on an action that
 *     is used but not granted, or granted but never used. Nobody may Scan.
 */
import type { FaceName } from "../src/http/routes.ts";
import type { TableName } from "../src/store/port.ts";

export const FUNCTION_NAMES = ["send", "receive", "ack", "admin", "sqs", "janitor"] as const;
export type FunctionName = FaceName | "janitor";

export type TableAction = "GetItem" | "Query" | "PutItem" | "UpdateItem" | "DeleteItem";

/** None may do both: who makes access keys cannot read those of others. */
export const KEY_GRANTS: Readonly<Partial<Record<FunctionName, "Encrypt" | "Decrypt">>> = {
  admin: "Encrypt",
  sqs: "Decrypt",
};

export const GRANTS: Readonly<
  Record<FunctionName, Readonly<Record<TableName, readonly TableAction[]>>>
> = {
  send: {
    // Senders that meet on a lane give the queue more lanes; publishing reads bindings.
    catalog: ["GetItem", "Query", "UpdateItem"],
    lanes: ["GetItem", "Query", "PutItem", "UpdateItem"],
  },
  receive: {
    // Dead letters go through exchanges, by their bindings.
    catalog: ["GetItem", "Query"],
    // It puts what it dead-letters, and deletes its parts where the queue erases.
    lanes: ["GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem"],
  },
  ack: {
    catalog: ["GetItem"],
    // Parts of large messages, of queues that erase what is acked.
    lanes: ["GetItem", "Query", "UpdateItem", "DeleteItem"],
  },
  admin: {
    catalog: ["GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem"],
    // Redriving claims, appends and erases.
    lanes: ["GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem"],
  },
  sqs: {
    catalog: ["GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem"],
    // Starting a move task moves what it can at once, and a purge ends schedules.
    lanes: ["GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem"],
  },
  janitor: {
    catalog: ["GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem"],
    lanes: ["GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem"],
  },
};
