/**
 * The Policy attribute: an IAM policy as JSON. LaneMQ grants by its own keys and scopes, so it is
 * checked for its shape, kept as it was given and given back, and never evaluated.
 *
 * AddPermission and RemovePermission edit its statements, which they find by `Sid`.
 */
import { LIMITS } from "../core/limits.ts";
import { isObject } from "../http/message-rules.ts";
import { invalidValue, SqsError } from "./errors.ts";

type Statement = Readonly<Record<string, unknown>>;

interface Policy {
  readonly Statement: readonly Statement[];
  readonly [member: string]: unknown;
}

export interface Permission {
  readonly label: string;
  readonly accounts: readonly string[];
  readonly actions: readonly string[];
}

const MEMBERS: ReadonlySet<string> = new Set(["Version", "Id", "Statement"]);
const VERSIONS: readonly unknown[] = [undefined, "2008-10-17", "2012-10-17"];
const STATEMENT_MEMBERS: ReadonlySet<string> = new Set([
  "Sid",
  "Effect",
  "Principal",
  "NotPrincipal",
  "Action",
  "NotAction",
  "Resource",
  "NotResource",
  "Condition",
]);

/** @throws SqsError `InvalidAttributeValue`, `OverLimit` */
export function checkPolicy(text: string): void {
  const policy = policyOf(text);
  const isKnown =
    policy !== undefined &&
    Buffer.byteLength(text) <= LIMITS.policyBytes &&
    Object.keys(policy).every((member) => MEMBERS.has(member)) &&
    VERSIONS.includes(policy["Version"]) &&
    policy.Statement.length > 0 &&
    policy.Statement.every(isStatement);
  if (!isKnown)
    throw new SqsError("InvalidAttributeValue", "Invalid value for the parameter Policy.");
  if (policy.Statement.length > LIMITS.policyStatements)
    throw new SqsError(
      "OverLimit",
      `${policy.Statement.length} statements were found in the submitted policy, max allowed is ${LIMITS.policyStatements}`,
    );
}

/**
 * The policy with one statement more. The same again changes nothing.
 * @throws SqsError `InvalidParameterValue`, `OverLimit`
 */
export function withPermission(
  text: string | undefined,
  queueArn: string,
  { label, accounts, actions }: Permission,
): string {
  const added: Statement = {
    Sid: label,
    Effect: "Allow",
    Principal: { AWS: oneOrAll(accounts.map((account) => `arn:aws:iam::${account}:root`)) },
    Action: oneOrAll(actions.map((action) => `SQS:${action}`)),
    Resource: queueArn,
  };
  const policy: Policy = (text === undefined ? undefined : policyOf(text)) ?? {
    Version: "2008-10-17",
    Id: `${queueArn}/SQSDefaultPolicy`,
    Statement: [],
  };
  const same = policy.Statement.find(({ Sid }) => Sid === label);
  if (same !== undefined && JSON.stringify(same) === JSON.stringify(added)) return text ?? "";
  if (same !== undefined) throw invalidValue(label, "Label", "Already exists.");
  const count = policy.Statement.length + 1;
  if (count > LIMITS.policyStatements)
    throw new SqsError(
      "OverLimit",
      `${count} Statements were found, maximum allowed is ${LIMITS.policyStatements}.`,
    );
  return JSON.stringify({ ...policy, Statement: [...policy.Statement, added] });
}

/**
 * The policy without a statement; `undefined`: none is left.
 * @throws SqsError `InvalidParameterValue`
 */
export function withoutPermission(text: string | undefined, label: string): string | undefined {
  const policy = text === undefined ? undefined : policyOf(text);
  const left = policy?.Statement.filter(({ Sid }) => Sid !== label) ?? [];
  if (policy === undefined || left.length === policy.Statement.length)
    throw invalidValue(label, "Label", "can't find label.");
  return left.length === 0 ? undefined : JSON.stringify({ ...policy, Statement: left });
}

/** One statement may stand there without a list. */
function policyOf(text: string): Policy | undefined {
  let policy: unknown;
  try {
    policy = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(policy)) return undefined;
  const { Statement: given } = policy;
  const statements: unknown[] = Array.isArray(given) ? given : [given];
  return statements.every(isObject) ? { ...policy, Statement: statements } : undefined;
}

function isStatement(statement: Statement): boolean {
  const has = (one: string, other: string): boolean =>
    (statement[one] === undefined) !== (statement[other] === undefined);
  return (
    Object.keys(statement).every((member) => STATEMENT_MEMBERS.has(member)) &&
    ["Allow", "Deny"].includes(String(statement["Effect"])) &&
    has("Principal", "NotPrincipal") &&
    has("Action", "NotAction") &&
    [statement["Action"] ?? statement["NotAction"], statement["Resource"] ?? ""].every(
      isTextOrTexts,
    )
  );
}

const isTextOrTexts = (value: unknown): boolean =>
  (Array.isArray(value) ? value : [value]).every((one) => typeof one === "string");

const oneOrAll = (texts: readonly string[]): string | readonly string[] => {
  const [first, ...others] = texts;
  return first !== undefined && others.length === 0 ? first : texts;
};
