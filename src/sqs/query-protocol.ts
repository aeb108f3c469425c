/**
 * The query protocol: a form, or a query string, in; XML out. Older SDKs speak it.
 *
 * J5  An action sees the same input in both protocols: lists and maps, which the form spells as
 *     `Name.1.…`, and numbers are made again by the member names below.
 */
import { XmlNode } from "@aws-sdk/xml-builder";
import type { APIGatewayProxyEventV2 } from "aws-lambda";
import { payload } from "../http/answer.ts";
import { strictText } from "../http/request-body.ts";
import { noAction, SqsError } from "./errors.ts";
import { isEmpty } from "./protocol.ts";
import type { Protocol } from "./protocol.ts";

const NAMESPACE = "http://queue.amazonaws.com/doc/2012-11-05/";
const HEADERS = { "content-type": "text/xml" };
/** They are asked of the service, not of a queue's path. */
const OF_NO_QUEUE: ReadonlySet<string> = new Set(["CreateQueue", "ListQueues"]);
const PARAMETERS_MAX = 10_000;
const DEPTH_MAX = 6;

/** In the form → in JSON. */
const LISTS: ReadonlyMap<string, string> = new Map([
  ["AttributeName", "AttributeNames"],
  ["MessageAttributeName", "MessageAttributeNames"],
  ["MessageSystemAttributeName", "MessageSystemAttributeNames"],
  ["AWSAccountId", "AWSAccountIds"],
  ["ActionName", "Actions"],
  ["TagKey", "TagKeys"],
  ["StringListValue", "StringListValues"],
  ["BinaryListValue", "BinaryListValues"],
  ["SendMessageBatchRequestEntry", "Entries"],
  ["DeleteMessageBatchRequestEntry", "Entries"],
  ["ChangeMessageVisibilityBatchRequestEntry", "Entries"],
]);
const MEMBERS_OF_LISTS: ReadonlySet<string> = new Set(LISTS.values());
const MAPS: ReadonlyMap<string, { readonly member: string; readonly key: "Name" | "Key" }> =
  new Map([
    ["Attribute", { member: "Attributes", key: "Name" }],
    ["MessageAttribute", { member: "MessageAttributes", key: "Name" }],
    ["MessageSystemAttribute", { member: "MessageSystemAttributes", key: "Name" }],
    ["Tag", { member: "Tags", key: "Key" }],
  ]);
const NUMBERS: ReadonlySet<string> = new Set([
  "DelaySeconds",
  "MaxNumberOfMessages",
  "MaxNumberOfMessagesPerSecond",
  "MaxResults",
  "VisibilityTimeout",
  "WaitTimeSeconds",
]);

export const QUERY_PROTOCOL: Protocol = {
  read(event, body) {
    const parameters = parametersOf(event, body);
    const root: Tree = new Map();
    for (const [name, value] of parameters) plant(root, name.split("."), value);
    const action = root.get("Action");
    const input = Object.fromEntries(membersOf(root));
    // CreateQueue alone spells it in lower case.
    if (action === "CreateQueue" && "Tags" in input) input["tags"] = input["Tags"];
    const path = event.rawPath.split("/").findLast((part) => part !== "");
    if (path !== undefined) {
      if (typeof action === "string" && OF_NO_QUEUE.has(action)) throw noAction(action);
      // A queue that is named beside it is the one that is meant, as on AWS.
      input["QueueUrl"] ??= path;
    }
    return { action: typeof action === "string" ? action : "", input };
  },

  answer(action, output, requestId) {
    const response = new XmlNode(`${action}Response`).addAttribute("xmlns", NAMESPACE);
    if (output !== undefined)
      response.addChildNode(new XmlNode(`${action}Result`, nodesOf(output, action)));
    response.addChildNode(new XmlNode("ResponseMetadata", [XmlNode.of("RequestId", requestId)]));
    return written(200, response);
  },

  refuse(error, requestId) {
    if (error.name === "MissingAction")
      return written(error.status, new XmlNode("UnknownOperationException"));
    const details = new XmlNode("Error", [
      XmlNode.of("Type", error.isSenderFault ? "Sender" : "Receiver"),
      XmlNode.of("Code", error.queryCode),
      textNode("Message", error.queryMessage),
      new XmlNode("Detail"),
    ]);
    const response = new XmlNode("ErrorResponse", [details, XmlNode.of("RequestId", requestId)]);
    return written(error.status, response.addAttribute("xmlns", NAMESPACE));
  },
};

function parametersOf(
  event: APIGatewayProxyEventV2,
  body: string | Buffer,
): readonly (readonly [string, string])[] {
  const parameters = [
    ...new URLSearchParams(event.rawQueryString),
    ...new URLSearchParams(strictText(body)),
  ];
  if (parameters.length <= PARAMETERS_MAX) return parameters;
  throw new SqsError("MalformedInput", `A request has at most ${PARAMETERS_MAX} parameters.`);
}

type Tree = Map<string, string | Tree>;

function plant(root: Tree, path: readonly string[], value: string): void {
  if (path.length > DEPTH_MAX) throw malformed(path);
  let node = root;
  for (const part of path.slice(0, -1)) {
    const next = node.get(part) ?? new Map<string, string | Tree>();
    if (typeof next === "string") throw malformed(path);
    node.set(part, next);
    node = next;
  }
  const last = path.at(-1) ?? "";
  if (node.get(last) instanceof Map) throw malformed(path);
  node.set(last, value);
}

function membersOf(tree: Tree): Map<string, unknown> {
  const members = new Map<string, unknown>();
  for (const [name, value] of tree) {
    const list = LISTS.get(name);
    const map = MAPS.get(name);
    if (value === "" && MEMBERS_OF_LISTS.has(name)) {
      // botocore's spelling of an empty list.
      members.set(name, []);
    } else if (typeof value === "string") {
      members.set(name, NUMBERS.has(name) ? numberOf(name, value) : value);
    } else if (list !== undefined) {
      members.set(list, inOrder(value, name).map(plain));
    } else if (map !== undefined) {
      const entries = inOrder(value, name).map((entry): [string, unknown] => {
        const key = entry instanceof Map ? entry.get(map.key) : undefined;
        if (!(entry instanceof Map) || typeof key !== "string") throw malformed([name]);
        return [key, plain(entry.get("Value") ?? "")];
      });
      if (new Set(entries.map(([key]) => key)).size < entries.length)
        throw new SqsError("InvalidParameterValue", `A name stands twice among the ${map.member}.`);
      members.set(map.member, Object.fromEntries(entries));
    } else {
      members.set(name, plain(value));
    }
  }
  return members;
}

const plain = (value: string | Tree): unknown =>
  typeof value === "string" ? value : Object.fromEntries(membersOf(value));

/** By number; one alone may have none. */
function inOrder(tree: Tree, name: string): (string | Tree)[] {
  const numbered = [...tree].map(([number, value]) => ({ number: Number(number), value }));
  if (numbered.every(({ number }) => Number.isInteger(number)))
    return numbered.toSorted((a, b) => a.number - b.number).map(({ value }) => value);
  if (numbered.some(({ number }) => Number.isInteger(number))) throw malformed([name]);
  return [tree];
}

function numberOf(name: string, text: string): number {
  if (/^-?\d{1,10}$/.test(text)) return Number(text);
  throw new SqsError("MalformedInput", `The parameter ${name} is no number.`);
}

const malformed = (path: readonly string[]): SqsError =>
  new SqsError("MalformedInput", `The parameter ${path.join(".").slice(0, 200)} is malformed.`);

/** In JSON → in XML, for each entry of a list. */
const LIST_ELEMENTS: ReadonlyMap<string, (action: string) => string> = new Map([
  ["QueueUrls", () => "QueueUrl"],
  ["queueUrls", () => "QueueUrl"],
  ["Messages", () => "Message"],
  ["Successful", (action: string) => `${action}ResultEntry`],
  ["Failed", () => "BatchResultErrorEntry"],
  ["Results", () => "ListMessageMoveTasksResultEntry"],
]);

function nodesOf(output: object, action: string): XmlNode[] {
  return Object.entries(output).flatMap(([member, value]: [string, unknown]): XmlNode[] => {
    if (isEmpty(value)) return [];
    if (Array.isArray(value)) {
      const element = LIST_ELEMENTS.get(member)?.(action) ?? member;
      return value.map((entry: unknown) => nodeOf(element, entry, action));
    }
    const map = [...MAPS].find(([, one]) => one.member === member);
    if (map === undefined) return [nodeOf(member, value, action)];
    const [element, { key }] = map;
    return Object.entries(value as object).map(
      ([name, one]) => new XmlNode(element, [textNode(key, name), nodeOf("Value", one, action)]),
    );
  });
}

const nodeOf = (element: string, value: unknown, action: string): XmlNode =>
  typeof value === "object" && value !== null
    ? new XmlNode(element, nodesOf(value, action))
    : textNode(element, String(value));

const textNode = (element: string, text: string): XmlNode => new XmlNode(element, [new Text(text)]);

/** Escaped where it must be, and not where it need not: an answer stays within Lambda's 6 MB. */
class Text {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  toString(): string {
    return this.#text.replace(ESCAPED, (character) => ESCAPES.get(character) ?? "\ufffd");
  }
}

/**
 * A bare CR would be read as LF. Clients of the query protocol know no other reference to a character
 * than this one of AWS. What XML has no way to say is replaced.
 */
const ESCAPES: ReadonlyMap<string, string> = new Map([
  ["&", "&amp;"],
  ["<", "&lt;"],
  [">", "&gt;"],
  ["\r", "&#xD;"],
]);
// oxlint-disable-next-line no-control-regex -- These are what is looked for.
const ESCAPED = /[&<>\r\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g;

const written = (statusCode: number, node: XmlNode) => ({
  statusCode,
  headers: { ...HEADERS },
  ...payload(`<?xml version="1.0"?>${node.toString()}`),
});
