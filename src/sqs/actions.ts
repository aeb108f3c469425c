/** The actions of SQS by AWS's names. */
import type { Action } from "./action.ts";

export const ACTIONS: Readonly<Record<string, Action>> = {};
