/** Calls about API keys. */
import * as v from "valibot";
import type { Operation } from "../routes.ts";
import { pageQuery } from "../schemas/fields.ts";
import { createKeyRequest } from "../schemas/keys.ts";
import { cursor, time } from "./fields.ts";
import type { Shape } from "./shape.ts";

const keyFields = {
  id: v.string(),
  name: v.string(),
  scopes: createKeyRequest.entries.scopes,
  createdAt: time,
  expiresAt: v.exactOptional(time),
  accessKeyId: v.exactOptional(v.string()),
};

export const KEY_SHAPES = {
  createKey: {
    body: createKeyRequest,
    statuses: { 201: "Created; keep its secrets, they are not shown again." },
    answer: v.strictObject({
      ...keyFields,
      secret: v.string(),
      secretAccessKey: v.exactOptional(v.string()),
    }),
  },
  listKeys: {
    query: pageQuery,
    statuses: { 200: "A page of keys; with a cursor, there are more." },
    answer: v.strictObject({ keys: v.array(v.strictObject(keyFields)), cursor }),
  },
  deleteKey: { statuses: { 204: "Revoked." } },
} satisfies Partial<Record<Operation, Shape>>;
