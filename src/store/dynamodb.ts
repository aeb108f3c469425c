/**
 * The port over DynamoDB's protocol: AWS, DynamoDB Local, or the embedded engine.
 *
 * Owns: which failures are repeated and what is said of the others (P3, P4). A write leaves once;
 * only what was surely not applied, and reads, are sent again.
 */
import {
  ConditionalCheckFailedException,
  DeleteItemCommand,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import type { ConsumedCapacity, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { LaneError, invariant } from "../core/errors.ts";
import { faultOf } from "./dynamodb-errors.ts";
import { Placeholders, renderCondition, renderEdits } from "./dynamodb-expressions.ts";
import { fromItem, toAttributes, toKey } from "./dynamodb-values.ts";
import type {
  Condition,
  Item,
  Key,
  QueryRange,
  Store,
  StoreRequest,
  TableName,
  WriteResult,
} from "./port.ts";
import { compareKeys, itemBytes } from "./values.ts";

const ATTEMPTS = 5;
const BACKOFF_MS = 25;
const BACKOFF_MAX_MS = 400;

/** What the port asks of a client: single-item commands, and queries. */
export type DynamoDbRequests = Pick<DynamoDBClient, "send">;

export interface DynamoDbStoreOptions {
  readonly client: DynamoDbRequests;
  readonly tables: Readonly<Record<TableName, string>>;
  readonly sleep: (ms: number) => Promise<void>;
  /** 0 to 1, 1 excluded. */
  readonly random: () => number;
  readonly onRequest?: (request: StoreRequest) => void;
  /** Whether a refusal carries the item that refused; dynalite's do not. Default true. */
  readonly returnsFoundItem?: boolean;
}

export function createDynamoDbStore(options: DynamoDbStoreOptions): Store {
  const { client, tables, onRequest, returnsFoundItem = true } = options;
  const capacity = onRequest === undefined ? {} : ({ ReturnConsumedCapacity: "TOTAL" } as const);
  const onRefusal = returnsFoundItem
    ? ({ ReturnValuesOnConditionCheckFailure: "ALL_OLD" } as const)
    : {};

  const read = (
    action: string,
    table: TableName,
    used: ConsumedCapacity | undefined,
    items: number,
  ): void =>
    onRequest?.({ action, table, readUnits: used?.CapacityUnits ?? 0, writeUnits: 0, items });

  const store: Store = {
    async get(table, key, { consistent }) {
      const command = new GetItemCommand({
        TableName: tables[table],
        Key: toKey(key),
        ConsistentRead: consistent,
        ...capacity,
      });
      const { Item: item, ConsumedCapacity: used } = await send(options, "read", () =>
        client.send(command),
      );
      read("GetItem", table, used, item === undefined ? 0 : 1);
      return item === undefined ? undefined : fromItem(item);
    },

    async query(table, pk, range) {
      invariant(range.limit === undefined || range.limit >= 1, "a query asks for at least one");
      if (isEmpty(range)) return { items: [], more: false };
      const command = new QueryCommand({
        TableName: tables[table],
        ...keyCondition(pk, range),
        ConsistentRead: range.consistent,
        ScanIndexForward: range.reverse !== true,
        ...(range.limit !== undefined && { Limit: range.limit }),
        ...capacity,
      });
      const answer = await send(options, "read", () => client.send(command));
      const items = (answer.Items ?? []).map(fromItem);
      read("Query", table, answer.ConsumedCapacity, items.length);
      return { items, more: answer.LastEvaluatedKey !== undefined };
    },

    put(table, item, condition) {
      const command = new PutItemCommand({
        TableName: tables[table],
        Item: toAttributes(item),
        ...rendered(condition),
        ...capacity,
        ...(condition !== undefined && onRefusal),
      });
      return write("PutItem", table, item, item, () => client.send(command));
    },

    update(table, key, edits, condition, { wantOld = false } = {}) {
      const placeholders = new Placeholders();
      const expression = renderEdits(edits, placeholders);
      const command = new UpdateItemCommand({
        TableName: tables[table],
        Key: toKey(key),
        ...(expression !== undefined && { UpdateExpression: expression }),
        ...rendered(condition, placeholders),
        ...(wantOld && { ReturnValues: "ALL_OLD" }),
        ...capacity,
        ...(condition !== undefined && onRefusal),
      });
      return write("UpdateItem", table, key, undefined, () => client.send(command));
    },

    delete(table, key, condition) {
      const command = new DeleteItemCommand({
        TableName: tables[table],
        Key: toKey(key),
        ...rendered(condition),
        ...capacity,
        ...(condition !== undefined && onRefusal),
      });
      return write("DeleteItem", table, key, undefined, () => client.send(command));
    },
  };

  /** Sends a write; a refusal is a value, with what was found. */
  async function write(
    action: string,
    table: TableName,
    key: Key,
    item: Item | undefined,
    call: () => Promise<WriteAnswer>,
  ): Promise<WriteResult> {
    const answer = await send(options, "write", () => call().catch(asRefusal));
    if (!(answer instanceof ConditionalCheckFailedException)) {
      const writeUnits = answer.ConsumedCapacity?.CapacityUnits ?? 0;
      onRequest?.({ action, table, readUnits: 0, writeUnits, items: 1 });
      const { Attributes: old } = answer;
      return { ok: true, old: old === undefined ? undefined : fromItem(old) };
    }
    const found = await foundBy(answer, table, key);
    if (onRequest !== undefined) {
      const bytes = Math.max(found ? itemBytes(found) : 0, item ? itemBytes(item) : 0);
      const writeUnits = Math.max(1, Math.ceil(bytes / 1024));
      onRequest({ action, table, readUnits: 0, writeUnits, items: 1 });
    }
    return { ok: false, found };
  }

  async function foundBy(
    refusal: ConditionalCheckFailedException,
    table: TableName,
    key: Key,
  ): Promise<Item | undefined> {
    if (!returnsFoundItem) return store.get(table, key, { consistent: true });
    return refusal.Item === undefined ? undefined : fromItem(refusal.Item);
  }

  return store;
}

interface WriteAnswer {
  readonly ConsumedCapacity?: ConsumedCapacity | undefined;
  readonly Attributes?: Parameters<typeof fromItem>[0] | undefined;
}

function asRefusal(error: unknown): ConditionalCheckFailedException {
  if (error instanceof ConditionalCheckFailedException) return error;
  throw error;
}

async function send<T>(
  { sleep, random }: DynamoDbStoreOptions,
  kind: "read" | "write",
  call: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      const fault = faultOf(error);
      if (fault === "invalid") {
        throw new LaneError("internal", `The storage engine refused a request: ${String(error)}`, {
          cause: error,
        });
      }
      if (fault === "unknown" && kind === "write") {
        throw new LaneError("outcome-unknown", `A write was not confirmed: ${String(error)}`, {
          cause: error,
        });
      }
      if (attempt >= ATTEMPTS) {
        throw new LaneError(
          fault === "throttled" ? "throttled" : "engine-unavailable",
          `The storage engine failed ${ATTEMPTS} times: ${String(error)}`,
          { cause: error },
        );
      }
      await sleep(random() * Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** attempt));
    }
  }
}

function rendered(
  condition: Condition | undefined,
  placeholders = new Placeholders(),
): { ConditionExpression?: string } & ReturnType<Placeholders["attributes"]> {
  const expression = condition === undefined ? undefined : renderCondition(condition, placeholders);
  const attributes = placeholders.attributes();
  return expression === undefined ? attributes : { ConditionExpression: expression, ...attributes };
}

/** DynamoDB refuses bounds that are the wrong way round; between them there is nothing. */
const isEmpty = ({ from, to }: QueryRange): boolean =>
  from !== undefined && to !== undefined && compareKeys(from, to) > 0;

function keyCondition(pk: string, { from, to }: QueryRange) {
  const bounds =
    from !== undefined && to !== undefined
      ? " AND #s BETWEEN :f AND :t"
      : from !== undefined
        ? " AND #s >= :f"
        : to !== undefined
          ? " AND #s <= :t"
          : "";
  return {
    KeyConditionExpression: `#p = :p${bounds}`,
    ExpressionAttributeNames: { "#p": "pk", ...(bounds !== "" && { "#s": "sk" }) },
    ExpressionAttributeValues: {
      ":p": { S: pk },
      ...(from !== undefined && { ":f": { S: from } }),
      ...(to !== undefined && { ":t": { S: to } }),
    },
  };
}
