/**
 * Conditions and edits rendered as DynamoDB expressions.
 *
 * Every name goes through a placeholder (names hold `#` and dots) and every value through another;
 * equal names and equal scalars share one, for an expression may hold 4 KB.
 */
import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { invariant } from "../core/errors.ts";
import { toAttribute } from "./dynamodb-values.ts";
import type { Condition, Edit, Path, Value } from "./port.ts";
import { comparable } from "./values.ts";

/** Collects the placeholders of one request. */
export class Placeholders {
  readonly #names = new Map<string, string>();
  readonly #shared = new Map<string | number | boolean, string>();
  readonly #values: Record<string, AttributeValue> = {};
  #valueCount = 0;

  path([name, member]: Path): string {
    return member === undefined ? this.name(name) : `${this.name(name)}.${this.name(member)}`;
  }

  name(name: string): string {
    let placeholder = this.#names.get(name);
    if (placeholder === undefined) {
      placeholder = `#${this.#names.size.toString(36)}`;
      this.#names.set(name, placeholder);
    }
    return placeholder;
  }

  value(value: Value, attribute: AttributeValue): string {
    if (typeof value === "object") return this.#add(attribute);
    let placeholder = this.#shared.get(value);
    if (placeholder === undefined) {
      placeholder = this.#add(attribute);
      this.#shared.set(value, placeholder);
    }
    return placeholder;
  }

  /** For the request; DynamoDB refuses empty ones. */
  attributes(): {
    ExpressionAttributeNames?: Record<string, string>;
    ExpressionAttributeValues?: Record<string, AttributeValue>;
  } {
    const names: Record<string, string> = {};
    for (const [name, placeholder] of this.#names) names[placeholder] = name;
    const attributes: ReturnType<Placeholders["attributes"]> = {};
    if (this.#names.size > 0) attributes.ExpressionAttributeNames = names;
    if (this.#valueCount > 0) attributes.ExpressionAttributeValues = this.#values;
    return attributes;
  }

  #add(attribute: AttributeValue): string {
    const placeholder = `:${(this.#valueCount++).toString(36)}`;
    this.#values[placeholder] = attribute;
    return placeholder;
  }
}

/** `undefined`: a condition that always holds. */
export function renderCondition(condition: Condition, to: Placeholders): string | undefined {
  return alwaysHolds(condition) ? undefined : render(condition, to);
}

function render(condition: Condition, to: Placeholders): string {
  switch (condition.is) {
    case "exists":
      return `attribute_exists(${to.path(condition.path)})`;
    case "absent":
      return `attribute_not_exists(${to.path(condition.path)})`;
    case "equal": {
      invariant(comparable(condition.to), "V3: equal compares scalars, bytes and sets");
      const attribute = toAttribute(condition.to);
      const path = to.path(condition.path);
      if (attribute === undefined) return `attribute_not_exists(${path})`;
      return `${path} = ${to.value(condition.to, attribute)}`;
    }
    case "contains":
      return `contains(${to.path(condition.path)}, ${to.value(condition.member, { S: condition.member })})`;
    case "less":
      return `${to.path(condition.path)} < ${to.value(condition.than, numberAttribute(condition.than))}`;
    case "more":
      return `${to.path(condition.path)} > ${to.value(condition.than, numberAttribute(condition.than))}`;
    case "all":
      return join(
        condition.of.filter((part) => !alwaysHolds(part)),
        " AND ",
        to,
      );
    case "any":
      invariant(condition.of.length > 0, "a condition is not any of nothing");
      return join(condition.of, " OR ", to);
    default:
      return condition satisfies never;
  }
}

/** `undefined`: no edit has any effect. */
export function renderEdits(edits: readonly Edit[], to: Placeholders): string | undefined {
  const sections: Record<"SET" | "REMOVE" | "ADD" | "DELETE", string[]> = {
    SET: [],
    REMOVE: [],
    ADD: [],
    DELETE: [],
  };
  for (const edit of edits) {
    switch (edit.do) {
      case "set": {
        const attribute = toAttribute(edit.to);
        const path = to.path(edit.path);
        if (attribute === undefined) sections.REMOVE.push(path);
        else sections.SET.push(`${path} = ${to.value(edit.to, attribute)}`);
        break;
      }
      case "remove":
        sections.REMOVE.push(to.path(edit.path));
        break;
      case "add":
      case "discard": {
        const attribute = toAttribute(edit.members);
        if (attribute === undefined) break;
        const section = edit.do === "add" ? sections.ADD : sections.DELETE;
        section.push(`${to.name(edit.name)} ${to.value(edit.members, attribute)}`);
        break;
      }
      default:
        edit satisfies never;
    }
  }
  const parts = Object.entries(sections)
    .filter(([, clauses]) => clauses.length > 0)
    .map(([section, clauses]) => `${section} ${clauses.join(", ")}`);
  return parts.length === 0 ? undefined : parts.join(" ");
}

/** Asked before anything is rendered: DynamoDB refuses placeholders that no expression uses. */
function alwaysHolds(condition: Condition): boolean {
  if (condition.is === "all") return condition.of.every(alwaysHolds);
  return condition.is === "any" && condition.of.some(alwaysHolds);
}

function join(parts: readonly Condition[], by: string, to: Placeholders): string {
  const rendered = parts.map((part) => render(part, to));
  return rendered.length === 1 ? rendered.join("") : `(${rendered.join(by)})`;
}

function numberAttribute(value: number): AttributeValue {
  invariant(Number.isFinite(value), "V2: a number in a condition is finite");
  return { N: value === 0 ? "0" : String(value) };
}
