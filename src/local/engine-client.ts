/**
 * DynamoDB's JSON protocol as this process speaks it to its own engine: the SDK's commands without the
 * SDK's way to the network, which would cost more than the engine's answer.
 */
import {
  ConditionalCheckFailedException,
  DeleteItemCommand,
  DynamoDBServiceException,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import type { DynamoDbRequests } from "../store/dynamodb.ts";
import type { TableName } from "../store/port.ts";
import type { EngineAnswer, EngineCall } from "./engine-port.ts";
import { itemJson } from "./item-json.ts";
import type { Change } from "./write-behind.ts";

const ACTIONS = [
  [PutItemCommand, "PutItem"],
  [UpdateItemCommand, "UpdateItem"],
  [GetItemCommand, "GetItem"],
  [QueryCommand, "Query"],
  [DeleteItemCommand, "DeleteItem"],
] as const;

/** Waits for each answer as long as it takes. */
export function createEngineClient(
  call: (call: EngineCall) => Promise<EngineAnswer>,
): DynamoDbRequests {
  const send = async (command: { readonly input: object }) => {
    const [, action] = ACTIONS.find(([Command]) => command instanceof Command) ?? [];
    if (action === undefined) throw new TypeError("this client does not know the command");
    const { status, body } = await call({ action, body: JSON.stringify(written(command.input)) });
    const answer = JSON.parse(body) as Answer;
    if (status !== 200) throw errorOf(status, answer);
    if (answer.Item !== undefined) answer.Item = mapped(answer.Item, bytesOf);
    if (answer.Items !== undefined)
      answer.Items = answer.Items.map((item) => mapped(item, bytesOf));
    if (answer.Attributes !== undefined) answer.Attributes = mapped(answer.Attributes, bytesOf);
    return answer;
  };
  return { send };
}

/** What makes an item what it is from now on. */
export function callOf(tables: Readonly<Record<TableName, string>>, change: Change): EngineCall {
  const table = JSON.stringify(tables[change.table]);
  if (change.item === undefined) {
    const { pk, sk } = change.key;
    return {
      action: "DeleteItem",
      body: `{"TableName":${table},"Key":${itemJson({ pk, sk })}}`,
    };
  }
  return {
    action: "PutItem",
    body: `{"TableName":${table},"Item":${itemJson(change.item)}}`,
  };
}

/** As JSON has it, where bytes are base64. */
type AttributeJson = { B?: unknown; M?: ItemJson; L?: AttributeJson[] };
type ItemJson = Record<string, AttributeJson>;

interface Answer {
  Item?: ItemJson;
  Items?: ItemJson[];
  Attributes?: ItemJson;
  readonly __type?: string;
  readonly message?: string;
}

function written(input: { Item?: ItemJson; ExpressionAttributeValues?: ItemJson }): object {
  const { Item, ExpressionAttributeValues: values } = input;
  return {
    ...input,
    ...(Item && { Item: mapped(Item, base64Of) }),
    ...(values && { ExpressionAttributeValues: mapped(values, base64Of) }),
  };
}

const base64Of = (bytes: unknown): string => Buffer.from(bytes as Uint8Array).toString("base64");
const bytesOf = (base64: unknown): Uint8Array =>
  new Uint8Array(Buffer.from(base64 as string, "base64"));

/** With what stands for bytes changed. */
function mapped(item: ItemJson, change: (bytes: unknown) => unknown): ItemJson {
  const copy: ItemJson = {};
  for (const name in item) {
    const attribute = item[name];
    if (attribute !== undefined) copy[name] = mappedAttribute(attribute, change);
  }
  return copy;
}

function mappedAttribute(
  attribute: AttributeJson,
  change: (bytes: unknown) => unknown,
): AttributeJson {
  if (attribute.B !== undefined) return { B: change(attribute.B) };
  if (attribute.M !== undefined) return { M: mapped(attribute.M, change) };
  if (attribute.L !== undefined)
    return { L: attribute.L.map((element) => mappedAttribute(element, change)) };
  return attribute;
}

/**
 * What the engine refuses and will go on to refuse, by its type, for the reason may name what callers store.
 * `undefined`: it has done what it was asked, or could not.
 */
export function refusalIn({ status, body }: EngineAnswer): string | undefined {
  if (status < 400 || status >= 500) return undefined;
  try {
    return typeOf(JSON.parse(body) as Answer);
  } catch {
    return `status ${status}`;
  }
}

const typeOf = ({ __type = "" }: Answer): string => __type.slice(__type.indexOf("#") + 1);

function errorOf(status: number, answer: Answer): Error {
  const { message = "" } = answer;
  const name = typeOf(answer);
  const $metadata = { httpStatusCode: status };
  if (name === "ConditionalCheckFailedException")
    return new ConditionalCheckFailedException({ message, $metadata });
  const $fault = status < 500 ? "client" : "server";
  return new DynamoDBServiceException({ name, message, $fault, $metadata });
}
