/** Requests about API keys. */
import * as v from "valibot";
import { LIMITS } from "../../core/limits.ts";
import { text, time } from "./fields.ts";

const KEY_ACTIONS = ["send", "receive", "browse", "manage"] as const;

const namePattern = v.pipe(
  v.string("must be a string"),
  v.regex(
    /^[A-Za-z0-9_.*-]{1,80}$/,
    "must be 1 to 80 characters of A-Z a-z 0-9 _ - . and * for any run of characters",
  ),
);

export const createKeyRequest = v.strictObject({
  name: text(1, LIMITS.keyNameChars),
  scopes: v.pipe(
    v.array(
      v.pipe(
        v.strictObject({
          actions: v.pipe(
            v.array(
              v.picklist(KEY_ACTIONS, `must be one of ${KEY_ACTIONS.join(", ")}`),
              "must be an array of actions",
            ),
            v.minLength(1, "must have at least one action"),
            v.maxLength(KEY_ACTIONS.length, "must name each action once"),
          ),
          queues: v.exactOptional(namePattern),
          exchanges: v.exactOptional(namePattern),
        }),
        v.check(
          ({ queues, exchanges }) => queues !== undefined || exchanges !== undefined,
          "must name queues, exchanges or both",
        ),
      ),
      "must be an array of scopes",
    ),
    v.minLength(1, "must have at least one scope"),
    v.maxLength(LIMITS.scopesPerKey, `must have at most ${LIMITS.scopesPerKey} scopes`),
  ),
  expiresAt: v.exactOptional(time),
});
