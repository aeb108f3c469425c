/** AddPermission and RemovePermission: statements of the queue's Policy. */
import * as v from "valibot";
import { LIMITS } from "../core/limits.ts";
import { withoutPermission, withPermission } from "./access-policy.ts";
import { action, demand } from "./action.ts";
import { invalidValue, missing, SqsError } from "./errors.ts";
import { queueArn, queueOfUrl } from "./queue-url.ts";

/** What AWS lets other accounts be granted. */
const GRANTABLE: ReadonlySet<string> = new Set([
  "*",
  "ChangeMessageVisibility",
  "DeleteMessage",
  "GetQueueAttributes",
  "GetQueueUrl",
  "ListDeadLetterSourceQueues",
  "PurgeQueue",
  "ReceiveMessage",
  "SendMessage",
]);
const ACCOUNT = /^\d{12}$/;
const LABEL = new RegExp(`^[A-Za-z0-9_-]{1,${LIMITS.permissionLabelChars}}$`);

const labelled = { QueueUrl: v.optional(v.string()), Label: v.optional(v.string()) };
const texts = v.optional(v.array(v.string()), []);

export const addPermission = action(
  v.object({ ...labelled, AWSAccountIds: texts, Actions: texts }),
  async (call, { QueueUrl, Label, AWSAccountIds: accounts, Actions: actions }) => {
    const name = queueOfUrl(QueueUrl);
    demand(call, "manage", name);
    const label = checkedLabel(Label);
    checkActions(actions);
    const stranger = accounts.find((account) => !ACCOUNT.test(account));
    if (accounts.length === 0 || stranger !== undefined)
      throw invalidValue(`[${accounts.join(", ")}]`, "PrincipalId", "Unable to verify.");
    const permission = { label, accounts, actions };
    await call.service.changeQueue(name, ({ sqs }) => ({
      sqs: { ...sqs, policy: withPermission(sqs.policy, queueArn(call, name), permission) },
    }));
  },
);

export const removePermission = action(
  v.object(labelled),
  async (call, { QueueUrl, Label: label }) => {
    const name = queueOfUrl(QueueUrl);
    demand(call, "manage", name);
    if (label === undefined || label === "") throw missing("Label");
    await call.service.changeQueue(name, ({ sqs: { policy: before, ...sqs } }) => {
      const policy = withoutPermission(before, label);
      return { sqs: policy === undefined ? sqs : { ...sqs, policy } };
    });
  },
);

function checkActions(actions: readonly string[]): void {
  if (actions.length === 0) throw missing("Actions");
  if (actions.length > LIMITS.permissionActions)
    throw new SqsError(
      "OverLimit",
      `${actions.length} Actions were found, maximum allowed is ${LIMITS.permissionActions}.`,
    );
  const other = actions.find((one) => !GRANTABLE.has(one));
  if (other === undefined) return;
  const reason = OWNERS.has(other)
    ? "Only the queue owner is allowed to invoke this action."
    : "Please refer to the appropriate WSDL for a list of valid actions.";
  throw invalidValue(`SQS:${other}`, "ActionName", reason);
}

const OWNERS: ReadonlySet<string> = new Set([
  "AddPermission",
  "CancelMessageMoveTask",
  "CreateQueue",
  "DeleteQueue",
  "ListMessageMoveTasks",
  "ListQueues",
  "ListQueueTags",
  "RemovePermission",
  "SetQueueAttributes",
  "StartMessageMoveTask",
  "TagQueue",
  "UntagQueue",
]);

function checkedLabel(label: string | undefined): string {
  if (label === undefined || label === "") throw missing("Label");
  if (LABEL.test(label)) return label;
  throw invalidValue(
    label,
    "Label",
    `Can only include alphanumeric characters, hyphens, or underscores. 1 to ${LIMITS.permissionLabelChars} in length.`,
  );
}
