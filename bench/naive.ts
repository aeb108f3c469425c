/**
 * What LaneMQ is measured against: the queue on DynamoDB as it is usually written, one item a message.
 * Send puts the item; receive queries the oldest, passes over those that are leased and leases each
 * by a conditional update; ack deletes it on condition of the lease. No index, one hot partition.
 *
 * Only what the bench calls is there; the other operations are refused.
 */
import { LaneError } from "../src/core/errors.ts";
import type { OutgoingMessage } from "../src/core/message.ts";
import { epochMs } from "../src/core/types.ts";
import type { ReceivedMessage, Service } from "../src/service/api.ts";
import { randomId } from "../src/service/deps.ts";
import { absent, all, any, equal, less, set } from "../src/store/port.ts";
import type { Item, Store } from "../src/store/port.ts";

export interface NaiveDeps {
  readonly store: Store;
  readonly clock: { now(): number };
  readonly randomBytes: (length: number) => Uint8Array;
}

const LEASE_SECONDS = 30;
/** Leased messages stay in the way of the query; this many pages of them are passed over. */
const PAGES = 20;

export function createNaiveQueue(deps: NaiveDeps): Service {
  const { store, clock } = deps;
  const keyOf = (queue: string, sk: string) => ({ pk: `naive#${queue}`, sk });

  const lease = async (
    queue: string,
    item: Item,
    leaseMs: number,
  ): Promise<ReceivedMessage | undefined> => {
    const now = clock.now();
    const token = randomId(deps, 12);
    const receives = (item["receives"] as number) + 1;
    const { ok } = await store.update(
      "lanes",
      keyOf(queue, item.sk),
      [set(["leasedUntil"], now + leaseMs), set(["lease"], token), set(["receives"], receives)],
      all(
        equal(["receives"], receives - 1),
        any(absent("leasedUntil"), less(["leasedUntil"], now)),
      ),
    );
    if (!ok) return undefined;
    return {
      id: item.sk,
      receipt: `${item.sk}/${token}`,
      kind: "json",
      body: item["body"] as Uint8Array,
      contentType: "application/json",
      headers: {},
      sentAt: epochMs(item["sentAt"] as number),
      expiresAt: epochMs((item["ttl"] as number) * 1000),
      firstReceivedAt: epochMs(now),
      receives,
      leaseExpiresAt: epochMs(now + leaseMs),
    };
  };

  const put = async (queue: string, message: OutgoingMessage): Promise<{ id: string }> => {
    const now = clock.now();
    const id = `${now}-${randomId(deps, 8)}`;
    const ttl = Math.ceil(now / 1000) + 345_600;
    await store.put("lanes", {
      ...keyOf(queue, id),
      body: message.body,
      sentAt: now,
      receives: 0,
      ttl,
    });
    return { id };
  };

  const own: Pick<Service, "send" | "receive" | "ack"> = {
    send: (queue, messages) => Promise.all(messages.map((message) => put(queue, message))),

    async receive(queue, { max, leaseSeconds = LEASE_SECONDS }) {
      const received: ReceivedMessage[] = [];
      let from = "0";
      for (let page = 0; page < PAGES && received.length < max; page++) {
        const limit = Math.max(10, max - received.length);
        const found = await store.query("lanes", `naive#${queue}`, {
          from,
          limit,
          consistent: true,
        });
        const visible = found.items
          .filter((item) => ((item["leasedUntil"] as number | undefined) ?? 0) < clock.now())
          .slice(0, max - received.length);
        const leased = await Promise.all(
          visible.map((item) => lease(queue, item, leaseSeconds * 1000)),
        );
        received.push(...leased.filter((message) => message !== undefined));
        if (!found.more) break;
        from = `${found.items.at(-1)?.sk ?? ""}+`;
      }
      return received;
    },

    ack: (queue, receipts) =>
      Promise.all(
        receipts.map(async (receipt) => {
          const [id = "", token = ""] = receipt.split("/");
          const { ok } = await store.delete("lanes", keyOf(queue, id), equal(["lease"], token));
          return { status: ok ? ("done" as const) : ("gone" as const) };
        }),
      ),
  };
  return new Proxy(own as Service, {
    get: (_, name) => (own as Partial<Service>)[name as keyof Service] ?? refuse,
  });
}

const refuse = async (): Promise<never> => {
  throw new LaneError("invalid-request", "The naive queue sends, receives and acks; no more.");
};
