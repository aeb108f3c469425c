/**
 * What became of leased messages, told to the service in batches: acks, and releases by their delay.
 *
 * W3  A message is settled by one call at most, and what the call says of it is its outcome.
 */
import { LIMITS } from "../core/limits.ts";
import { Batcher } from "./batcher.ts";
import type { Outcome } from "./batcher.ts";
import type { Effects } from "./effects.ts";
import type { CallOptions } from "./transport.ts";
import type { ReceiptResult } from "./wire.ts";

export interface Held {
  /** Changes when a lease is extended. */
  receipt: string;
}

/** What a settler calls; a queue has it. */
export interface Settling {
  ack(receipts: readonly string[], options: CallOptions): Promise<ReceiptResult[]>;
  release(
    receipts: readonly string[],
    request: { delaySeconds: number; countAttempt: boolean },
    options: CallOptions,
  ): Promise<ReceiptResult[]>;
}

interface Release {
  readonly held: Held;
  readonly delaySeconds: number;
  readonly countAttempt: boolean;
}

const LINGER_MS = 5;
/** A service that is starting again takes some seconds; a lease mostly lasts longer. */
const RETRIES = 8;

export class Settler {
  readonly #acks: Batcher<Held, ReceiptResult>;
  readonly #releases: Batcher<Release, ReceiptResult>;

  constructor(queue: Settling, effects: Effects) {
    const shared = {
      lingerMs: LINGER_MS,
      maxItems: LIMITS.receiptsPerCall,
      maxBytes: Number.POSITIVE_INFINITY,
      inFlight: 4,
      after: effects.after,
    };
    const retries = { retries: RETRIES };
    this.#acks = new Batcher({
      ...shared,
      run: async (helds) => {
        const receipts = helds.map(({ receipt }) => receipt);
        return (await queue.ack(receipts, retries)).map((value) => ({ value }));
      },
    });
    this.#releases = new Batcher({
      ...shared,
      run: async (releases) => {
        const outcomes = new Map<Release, Outcome<ReceiptResult>>();
        for (const group of alike(releases)) {
          const [{ delaySeconds, countAttempt }] = group;
          const receipts = group.map(({ held }) => held.receipt);
          const request = { delaySeconds, countAttempt };
          try {
            const results = await queue.release(receipts, request, retries);
            results.forEach((value, index) => {
              const release = group[index];
              if (release !== undefined) outcomes.set(release, { value });
            });
          } catch (error) {
            for (const release of group) outcomes.set(release, { error });
          }
        }
        return releases.map((one) => outcomes.get(one) ?? { error: new TypeError("no result") });
      },
    });
  }

  ack(held: Held): Promise<ReceiptResult> {
    return this.#acks.add(held, 0);
  }

  release(held: Held, delaySeconds: number, countAttempt: boolean): Promise<ReceiptResult> {
    return this.#releases.add({ held, delaySeconds, countAttempt }, 0);
  }

  async flush(): Promise<void> {
    await Promise.all([this.#acks.flush(), this.#releases.flush()]);
  }
}

type Group = [Release, ...Release[]];

/** Those that one call can release. */
function alike(releases: readonly Release[]): Group[] {
  const groups = new Map<string, Group>();
  for (const release of releases) {
    const key = `${release.delaySeconds} ${release.countAttempt}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [release]);
    else group.push(release);
  }
  return [...groups.values()];
}
