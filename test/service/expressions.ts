/**
 * A store that refuses what DynamoDB refuses and neither dynalite nor the in-memory store does: an
 * expression of more than 4 KB, or with more than 300 operators and functions.
 */
import { LaneError } from "../../src/core/errors.ts";
import {
  Placeholders,
  renderCondition,
  renderEdits,
} from "../../src/store/dynamodb-expressions.ts";
import type { Condition, Edit, Store } from "../../src/store/port.ts";

const BYTES = 4_096;
const OPERATORS = 300;

export function limited(store: Store): Store {
  return {
    get: (table, key, options) => store.get(table, key, options),
    query: (table, pk, range) => store.query(table, pk, range),
    delete: (table, key, condition) => store.delete(table, key, condition),
    put: (table, item, condition) => store.put(table, item, condition),
    async update(table, key, edits, condition, options) {
      check(edits, condition);
      return store.update(table, key, edits, condition, options);
    },
  };
}

function check(edits: readonly Edit[], condition: Condition | undefined): void {
  const placeholders = new Placeholders();
  const update = renderEdits(edits, placeholders) ?? "";
  const guard = condition === undefined ? "" : (renderCondition(condition, placeholders) ?? "");
  const operators = (guard.match(/ = | AND | OR | < |attribute_|contains\(/g) ?? []).length;
  if (update.length > BYTES || guard.length > BYTES || operators > OPERATORS) {
    throw new LaneError(
      "internal",
      `an update of ${update.length} B, a condition of ${guard.length} B with ${operators} operators`,
    );
  }
}
