/** The actions of SQS by AWS's names. */
import type { Action } from "./action.ts";
import { receiveMessage } from "./receive.ts";
import { sendMessage, sendMessageBatch } from "./send.ts";

export const ACTIONS: Readonly<Record<string, Action>> = {
  ReceiveMessage: receiveMessage,
  SendMessage: sendMessage,
  SendMessageBatch: sendMessageBatch,
};
