/** `docs/reference.md`: the OpenAPI document as a page to read. */
import { format } from "prettier";
import { openApiDocument } from "../src/http/openapi.ts";

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
  readonly format?: string;
  readonly default?: unknown;
}

type Content = Readonly<Record<string, { readonly schema?: Schema }>>;

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly security: readonly Readonly<Record<string, unknown>>[];
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required: boolean;
    readonly schema: Schema;
  }[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<
    Record<string, { readonly description: string; readonly content?: Content }>
  >;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

export async function referencePage(): Promise<string> {
  const { paths, components } = openApiDocument() as unknown as Document;
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      call: `${method.toUpperCase()} ${path}`,
      ...operation,
    })),
  );
  const page = [
    "# API reference",
    "Every call with its fields, made from [openapi.json](openapi.json) by `npx tsx bin/openapi.ts`. What the calls do and promise is told in [The API](api.md). Headings are the names that [the client](client.md#any-call) calls them by. A `?` says that a field may be left out.",
    "## Calls",
    ...operations.map(sectionOf),
    "## Objects",
    ...Object.entries(components.schemas).map(
      ([name, schema]) => `### ${name}\n\n${bodyOf(schema)}`,
    ),
  ];
  return format(page.join("\n\n"), { parser: "markdown" });
}

function sectionOf(operation: Operation & { readonly call: string }): string {
  const {
    call,
    operationId,
    summary,
    security,
    parameters = [],
    requestBody,
    responses,
  } = operation;
  const parts = [`### ${operationId}`, `\`${call}\` · ${keyOf(security)}`, summary];
  if (parameters.length > 0) {
    parts.push(
      table(
        ["parameter", "in", "type"],
        parameters.map(({ name, in: place, required, schema }) => [
          `\`${name}\`${required ? "" : "?"}`,
          place,
          typeOf(schema),
        ]),
      ),
    );
  }
  const body = requestBody?.content["application/json"]?.schema;
  if (body !== undefined) parts.push(`Body: ${bodyOf(body)}`);
  for (const [status, { description, content }] of Object.entries(responses)) {
    if (status === "default") continue;
    const answer = content?.["application/json"]?.schema;
    parts.push(`**${status}** ${description}${answer === undefined ? "" : ` ${bodyOf(answer)}`}`);
  }
  return parts.join("\n\n");
}

function keyOf(security: Operation["security"]): string {
  const names = security.flatMap((one) => Object.keys(one));
  if (names.length === 0) return "open";
  return names.includes("iam") ? "IAM, or the admin key" : "API key";
}

/** An object's fields as a table, those of inner objects by their paths; anything else as its type. */
function bodyOf(schema: Schema): string {
  if (schema.properties === undefined) return typeOf(schema);
  const rows = fieldsOf(schema, "");
  return rows.length === 0 ? "an empty object" : `\n\n${table(["field", "type"], rows)}`;
}

function fieldsOf({ properties = {}, required = [] }: Schema, at: string): string[][] {
  return Object.entries(properties).flatMap(([name, one]) => {
    const isInner = one.properties !== undefined && Object.keys(one.properties).length > 0;
    const isList = one.items?.properties !== undefined;
    const type = isInner ? "object" : isList ? "array of objects" : typeOf(one);
    const row = [`\`${at}${name}\`${required.includes(name) ? "" : "?"}`, type];
    if (isInner) return [row, ...fieldsOf(one, `${at}${name}.`)];
    return isList ? [row, ...fieldsOf(one.items ?? {}, `${at}${name}[].`)] : [row];
  });
}

function typeOf(schema: Schema): string {
  const { $ref, anyOf, properties, required = [], items, additionalProperties } = schema;
  if ($ref !== undefined) {
    const name = $ref.split("/").at(-1) ?? "";
    return `[${name}](#${name.toLowerCase()})`;
  }
  if (schema.const !== undefined) return code(schema.const);
  if (schema.enum !== undefined) return schema.enum.map(code).join(" or ");
  if (anyOf !== undefined) return [...new Set(anyOf.map(typeOf))].join(", or ");
  if (items !== undefined)
    return `array of ${typeOf(items)}${sized(schema.minItems, schema.maxItems)}`;
  if (properties !== undefined) {
    const fields = Object.entries(properties).map(
      ([name, one]) => `\`${name}\`${required.includes(name) ? "" : "?"} ${typeOf(one)}`,
    );
    return fields.length === 0 ? "{}" : `{ ${fields.join("; ")} }`;
  }
  if (typeof additionalProperties === "object") return `object of ${typeOf(additionalProperties)}`;
  return scalarOf(schema);
}

function scalarOf(schema: Schema): string {
  const type = [schema.type ?? "any JSON"].flat().join(" or ");
  const pattern = patternOf(schema.pattern);
  const time = schema.format === "date-time" ? " (time)" : "";
  const fallback = schema.default === undefined ? "" : `, ${code(schema.default)} by default`;
  return `${type}${range(schema)}${sized(schema.minLength, schema.maxLength)}${pattern}${time}${fallback}`;
}

function range({ minimum, maximum }: Schema): string {
  if (minimum === undefined && maximum === undefined) return "";
  return maximum === undefined || maximum === Number.MAX_SAFE_INTEGER
    ? ` ≥ ${bound(minimum)}`
    : ` ${bound(minimum)}–${bound(maximum)}`;
}

const bound = (value = 0): string => value.toLocaleString("en-US");

/** Names and times are told by their word; what else there is, is short. */
function patternOf(pattern: string | undefined): string {
  if (pattern === undefined) return "";
  if (pattern.includes("{1,80}$")) return pattern.includes("*") ? " (name, with \\*)" : " (name)";
  return pattern.startsWith("^\\d{4}-") ? " (time)" : ` like ${code(pattern)}`;
}

const sized = (min: number | undefined, max: number | undefined): string =>
  min === undefined && max === undefined
    ? ""
    : max === undefined
      ? ` (≥ ${bound(min)})`
      : ` (${bound(min)}–${bound(max)})`;

const code = (value: unknown): string =>
  `\`${typeof value === "string" && !/["\\]/.test(value) ? value : JSON.stringify(value)}\``;

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`)
    .join("\n");
