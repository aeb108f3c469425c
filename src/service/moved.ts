/**
 * Where extensions of this process have moved messages, so that an ack by the first receipt finds them
 * with its first update. A hint: nothing rests on it, and another process does without (F1).
 */
import { attemptOf, isOf } from "../core/follow.ts";
import type { Receipt } from "../core/receipt.ts";
import type { Lease } from "../core/segment.ts";
import { boundedCache } from "./cache.ts";

export class Moved {
  /** Lease ids. */
  readonly #leases = boundedCache<string>(20_000);

  /** What an old receipt has changed of somebody else's is not for it. */
  remember(receipt: Receipt, lease: Lease): void {
    if (isOf(receipt, lease)) this.#leases.set(nameOf(receipt), lease.id);
  }

  leaseOf(receipt: Receipt): string {
    return this.#leases.get(nameOf(receipt)) ?? receipt.lease;
  }
}

const nameOf = (receipt: Receipt): string =>
  `${receipt.queueId}#${receipt.lane}#${attemptOf(receipt)}#${receipt.offset}`;
