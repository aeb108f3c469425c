/** What a service needs of the world. Everything that is not deterministic comes in through here. */
import type { EpochMs } from "../core/types.ts";
import type { Store } from "../store/port.ts";
import type { SecretBox } from "./secret-box.ts";
import type { Signal } from "../core/signal.ts";

export interface Deps {
  readonly store: Store;
  readonly clock: { now(): EpochMs };
  /** Resolves after `ms`, or as soon as the signal fires. Never rejects. */
  readonly sleep: (ms: number, signal?: Signal) => Promise<void>;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly randomBytes: (length: number) => Uint8Array;
  /** C5: how far two instances' clocks may be apart. */
  readonly skewMarginMs: number;
  /** Drops the wait before a deleted name can be used again. */
  readonly relaxed: boolean;
  /** For the secrets of access keys. Absent: API keys have none. */
  readonly secretBox?: SecretBox;
  /**
   * Lets a moment pass in which callers that are on their way can join what is about to be done. Only
   * where one process has many callers.
   */
  readonly gather?: () => Promise<void>;
  readonly onEvent?: (event: ServiceEvent) => void;
}

/** What is worth counting. */
export type ServiceEvent =
  | { readonly type: "appendConflict" | "claimConflict" | "laneGrown" | "segmentCut" }
  | { readonly type: "unroutable"; readonly exchange: string; readonly messages: number }
  | { readonly type: "eraseFailed"; readonly error: unknown }
  | { readonly type: "scheduleFailed"; readonly schedule: string; readonly error: unknown }
  | {
      readonly type: "deadLetterFailed" | "tendFailed" | "promotionFailed" | "moveFailed";
      readonly queue: string;
      readonly error: unknown;
    };

const ID_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789";

/** A random id of lower-case letters and digits; 12 of them hold 62 bits. */
export function randomId(deps: Pick<Deps, "randomBytes">, length: number): string {
  let id = "";
  while (id.length < length) {
    for (const byte of deps.randomBytes(length * 2)) {
      if (byte < 252 && id.length < length) id += ID_ALPHABET[byte % 36];
    }
  }
  return id;
}

/** Version 4, as SQS's clients know it of a move task. */
export function randomUuid(deps: Pick<Deps, "randomBytes">): string {
  const bytes = Buffer.from(deps.randomBytes(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString("hex");
  return [0, 8, 12, 16, 20].map((from, index, all) => hex.slice(from, all[index + 1])).join("-");
}

/** Distinguishes leases within one segment: 48 bits. */
export const newLeaseId = (deps: Pick<Deps, "randomBytes">): string =>
  Buffer.from(deps.randomBytes(6)).toString("base64url");

/** Full jitter: between half of and the whole of an exponential step, in ms. */
export const backoffMs = (
  deps: Pick<Deps, "random">,
  attempt: number,
  firstMs: number,
  maxMs: number,
): number => Math.min(maxMs, firstMs * 2 ** attempt) * (0.5 + deps.random() / 2);
