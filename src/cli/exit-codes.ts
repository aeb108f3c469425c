/**
 * Exit codes by the class of an error, made from the table of codes: what a script does next depends
 * on it.
 */
import { CODES } from "../core/errors.ts";
import type { ClientCode } from "../client/errors.ts";

export const EXIT = {
  done: { code: 0, title: "Done." },
  failed: { code: 1, title: "Something failed here, or in LaneMQ." },
  invalid: { code: 2, title: "The command or the request is not valid." },
  denied: { code: 3, title: "The key is missing, unknown, or does not allow this." },
  missing: { code: 4, title: "There is no such queue, message, key or route." },
  conflict: { code: 5, title: "The present state does not allow this." },
  tooLarge: { code: 6, title: "A message or a request is too large, or of a type not supported." },
  tryAgain: { code: 7, title: "Not now: nothing was changed, or nobody answers. Try again." },
  unknown: { code: 8, title: "It may have been done, or not." },
} as const;

type Class = keyof typeof EXIT;

export function exitClassOf(code: ClientCode): Class {
  if (code === "unreachable") return "tryAgain";
  if (code === "outcome-unknown") return "unknown";
  if (!(code in CODES)) return "failed";
  const { status, retryable } = CODES[code as keyof typeof CODES];
  return BY_STATUS[status] ?? (retryable ? "tryAgain" : "failed");
}

const BY_STATUS: Readonly<Record<number, Class>> = {
  400: "invalid",
  401: "denied",
  403: "denied",
  404: "missing",
  409: "conflict",
  413: "tooLarge",
  415: "tooLarge",
  422: "invalid",
  429: "tryAgain",
  503: "tryAgain",
};
