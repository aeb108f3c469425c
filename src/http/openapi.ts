/**
 * The OpenAPI 3.1 document, made from the table of routes and the schemas. `docs/openapi.json` is its
 * output, checked in; a test fails when they differ. The service serves that file, so that what makes
 * it is never deployed.
 */
import { toJsonSchema } from "@valibot/to-json-schema";
import * as v from "valibot";
import { LIMITS } from "../core/limits.ts";
import { NAMED, SHAPES } from "./openapi-shapes.ts";
import { ROUTES } from "./routes.ts";
import type { Route } from "./routes.ts";
import { bindingHeaderMap } from "./schemas/exchanges.ts";
import { filter, headers } from "./schemas/fields.ts";
import type { Shape } from "./shapes/shape.ts";

type Json = Record<string, unknown>;

export function openApiDocument(): Json {
  const paths: Record<string, Json> = {};
  for (const route of ROUTES) {
    const path = (paths[route.path] ??= {});
    path[route.method.toLowerCase()] = operationOf(route, SHAPES[route.operation]);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "LaneMQ",
      version: "1",
      summary: "A message queue without servers.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "http://127.0.0.1:9324", description: "Embedded" }],
    paths,
    components: {
      schemas: Object.fromEntries(
        Object.entries(NAMED).map(([name, schema]) => [name, schemaOf(schema, name)]),
      ),
      securitySchemes: {
        key: { type: "http", scheme: "bearer", description: "An API key." },
        iam: {
          type: "apiKey",
          in: "header",
          name: "Authorization",
          description:
            "Deployed: AWS Signature Version 4 for execute-api. Embedded: the admin key, as a bearer token.",
        },
      },
    },
  };
}

const TAKES_MESSAGES: ReadonlySet<string> = new Set(["send", "publish"]);

function operationOf(route: Route, shape: Shape): Json {
  const parameters = [
    ...pathParameters(route.path),
    ...queryParameters(shape),
    ...(TAKES_MESSAGES.has(route.operation) ? [IDEMPOTENCY_KEY] : []),
  ];
  return {
    operationId: route.operation,
    summary: route.summary,
    security: route.auth === "none" ? [] : [{ [route.auth]: [] }],
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(shape.body === undefined ? {} : { requestBody: requestBody(route, shape.body) }),
    responses: {
      ...Object.fromEntries(
        Object.entries(shape.statuses).map(([status, description]) => [
          status,
          answerOf(description, "application/json", shape.answer),
        ]),
      ),
      default: answerOf("What went wrong.", "application/problem+json", NAMED.Problem),
    },
  };
}

function requestBody(route: Route, body: v.GenericSchema): Json {
  const json = { "application/json": { schema: schemaOf(body) } };
  if (!TAKES_MESSAGES.has(route.operation)) return { content: json };
  return {
    required: true,
    description:
      "JSON: one message, or a batch. NDJSON: one message a line. Any other content type: the raw " +
      "body is one message, whose headers are the request's x-lane-header-NAME.",
    content: {
      ...json,
      "application/x-ndjson": { schema: { type: "string" } },
      "*/*": { schema: {} },
    },
  };
}

const answerOf = (
  description: string,
  type: string,
  schema: v.GenericSchema | undefined,
): Json => ({
  description,
  headers: { "x-request-id": { schema: { type: "string" } } },
  ...(schema === undefined ? {} : { content: { [type]: { schema: schemaOf(schema) } } }),
});

const IDEMPOTENCY_KEY = {
  name: "Idempotency-Key",
  in: "header",
  required: false,
  description: "Makes the request repeatable: a repeat within the window gives back the first ids.",
  schema: { type: "string", minLength: 1, maxLength: LIMITS.idempotencyKeyChars },
};

const QUEUE_NAME = { type: "string", pattern: "^[A-Za-z0-9_.-]{1,80}$" };

const NAMES: ReadonlySet<string> = new Set(["queue", "group", "exchange", "schedule"]);

const pathParameters = (path: string): Json[] =>
  [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: NAMES.has(name ?? "") ? QUEUE_NAME : { type: "string" },
  }));

const queryParameters = ({ query }: Shape): Json[] =>
  Object.entries(query?.entries ?? {}).map(([name, schema]) => ({
    name,
    in: "query",
    required: false,
    schema: parameterSchema(schema),
  }));

/** Query parameters are text on the wire; one that is read as a number is described as one. */
function parameterSchema(schema: v.GenericSchema): Json {
  const { wrapped, default: fallback } = schema as { wrapped?: v.GenericSchema; default?: unknown };
  const inner = wrapped ?? schema;
  const { parameter } = v.getMetadata(inner) as { parameter?: Json };
  if (parameter === undefined) return schemaOf(inner);
  return { ...parameter, ...(fallback === undefined ? {} : { default: Number(fallback) }) };
}

// JSON Schema of the custom schemas.
const HEADERS = {
  type: "object",
  maxProperties: LIMITS.headersPerMessage,
  propertyNames: { minLength: 1, maxLength: LIMITS.headerNameBytes },
  additionalProperties: { type: "string" },
} as const;

const BINDING_HEADERS = {
  ...HEADERS,
  maxProperties: LIMITS.bindingHeaders,
  additionalProperties: { type: ["string", "null"] },
} as const;

const PATTERN = {
  type: "object",
  description: "An event pattern over headers and body, in EventBridge's syntax.",
  minProperties: 1,
} as const;

const TAGS = {
  type: "object",
  maxProperties: LIMITS.tagsMax,
  propertyNames: { minLength: 1, maxLength: LIMITS.tagKeyChars },
  additionalProperties: { type: "string", maxLength: LIMITS.tagValueChars },
} as const;

const CUSTOM = new Map<unknown, Json>([
  [headers, HEADERS],
  [bindingHeaderMap, BINDING_HEADERS],
  [filter, PATTERN],
]);

/** `own`: the name that the schema is defined by here, so that it does not refer to itself. */
function schemaOf(schema: v.GenericSchema, own?: string): Json {
  const definitions = Object.fromEntries(Object.entries(NAMED).filter(([name]) => name !== own));
  const {
    $schema: _,
    $defs: __,
    ...rest
  } = toJsonSchema(schema, {
    typeMode: "input",
    // Checks that JSON Schema has no words for; the service makes them all the same.
    errorMode: "ignore",
    definitions,
    overrideRef: ({ referenceId }) => `#/components/schemas/${referenceId}`,
    overrideSchema: ({ valibotSchema }) => {
      if (valibotSchema.type !== "custom") return undefined;
      return CUSTOM.get(valibotSchema) ?? TAGS;
    },
  });
  return rest;
}
