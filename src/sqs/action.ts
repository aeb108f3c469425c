/** An action of SQS: what it takes and what it does, in the JSON member names of both protocols. */
import type * as v from "valibot";
import type { Action as Right, Caller } from "../core/scope.ts";
import type { EpochMs, QueueName } from "../core/types.ts";
import type { Service } from "../service/api.ts";
import type { Signal } from "../core/signal.ts";
import { SqsError } from "./errors.ts";
import { queueUrl } from "./queue-url.ts";
import type { Where } from "./queue-url.ts";

export interface SqsCall extends Where {
  readonly service: Service;
  readonly caller: Caller;
  /** Drops the 60 s waits after a deletion and a purge. */
  readonly relaxed: boolean;
  readonly now: () => EpochMs;
  /** X-Ray's header, as an instrumented client sends it along. */
  readonly trace?: string | undefined;
  /** Ends a long wait when the caller is gone; Lambda has none. */
  readonly signal: Signal | undefined;
}

/** `run` is given what `schema` has let pass. */
export interface Action {
  readonly schema: v.GenericSchema<unknown, unknown>;
  readonly run: (call: SqsCall, input: unknown) => Promise<object | void>;
}

/**
 * Members that are unknown are ignored, and those of the answer that are empty left out; an action
 * that answers nothing gives nothing.
 */
export const action = <Input>(
  schema: v.GenericSchema<unknown, Input>,
  run: (call: SqsCall, input: Input) => Promise<object | void>,
): Action => ({ schema, run: (call, input) => run(call, input as Input) });

/** `any`: whatever right the caller has on the queue. @throws SqsError `AccessDenied` */
export function demand(call: SqsCall, right: Right | "any", queue: QueueName): void {
  if (call.caller.may(right === "any" ? right : [right], queue)) return;
  throw new SqsError("AccessDenied", `Access to the resource ${queueUrl(call, queue)} is denied.`);
}
