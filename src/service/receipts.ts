/**
 * Receipts as the service gives them out, and those of one call, opened and sorted by the segment that
 * holds their leases.
 *
 * R4  What this process has sealed of late it knows again by its text, without opening it.
 */
import { afterChange, LaneError } from "../core/errors.ts";
import type { QueueRecord } from "../core/queue.ts";
import { openReceipt, sealReceipt } from "../core/receipt.ts";
import type { Receipt } from "../core/receipt.ts";
import type { Offset } from "../core/types.ts";
import { member } from "../core/segment.ts";
import { segmentKey } from "../store/keys.ts";
import type { Key } from "../store/port.ts";
import type { ReceiptResult } from "./api.ts";
import { boundedCache } from "./cache.ts";
import type { Stand } from "./cursor.ts";

export interface SegmentReceipts {
  readonly key: Key;
  readonly stand: Stand;
  readonly generation: number;
  /** Start of the segment. */
  readonly start: Offset;
  /** Each once, however often the call names it. */
  readonly receipts: readonly Receipt[];
}

/** What the receipt's message is called in its lease. */
export const memberOf = (receipt: Receipt): string => member(receipt, receipt.offset, receipt.tag);

interface Sealed {
  readonly receipt: Receipt;
  readonly secret: Uint8Array;
}

/** R4. It serves those who ack soon what they received; it need not hold all that is leased. */
const recent = boundedCache<Sealed>(2_000);

export function sealed(receipt: Receipt, secret: Uint8Array): string {
  const text = sealReceipt(receipt, secret);
  recent.set(text, { receipt, secret });
  return text;
}

/** `undefined`: not of this queue. */
export function opened(
  text: string,
  { queueId, secret }: Pick<QueueRecord, "queueId" | "secret">,
): Receipt | undefined {
  const known = recent.get(text);
  return known?.receipt.queueId === queueId && Buffer.compare(known.secret, secret) === 0
    ? // Acks go by which of several calls a receipt is of.
      { ...known.receipt }
    : openReceipt(text, queueId, secret);
}

/** Receipts of messages that stand in one segment. */
export const inSegment = <R extends readonly Receipt[]>(
  stand: Stand,
  generation: number,
  start: Offset,
  receipts: R,
): SegmentReceipts & { readonly receipts: R } => ({
  key: segmentKey(stand.queue, stand.lane, stand.group, generation, start),
  stand,
  generation,
  start,
  receipts,
});

/**
 * Groups the receipts, has each group handled, and puts the answers back in the order of the call.
 * Forged and foreign receipts are answered without any read (R2).
 * @throws LaneError `receipt-invalid` only if every receipt is invalid.
 */
export async function byReceipt(
  record: QueueRecord,
  texts: readonly string[],
  /** What one update of `handle` changes: a failure of a single one leaves nothing half done. */
  unit: "segment" | "lease",
  handle: (group: SegmentReceipts) => Promise<ReadonlyMap<Receipt, ReceiptResult>>,
): Promise<readonly ReceiptResult[]> {
  const byText = new Map<string, Receipt | undefined>();
  for (const text of texts) if (!byText.has(text)) byText.set(text, opened(text, record));
  if ([...byText.values()].every((receipt) => receipt === undefined)) {
    throw new LaneError(
      "receipt-invalid",
      `None of the receipts was issued by the queue "${record.name}".`,
    );
  }
  const groups = new Map<string, SegmentReceipts & { readonly receipts: Receipt[] }>();
  for (const receipt of byText.values()) {
    if (receipt === undefined) continue;
    const { queueId: queue, lane, group: groupId, generation, segment } = receipt;
    const name = `${lane}/${groupId}/${generation}/${segment}`;
    const group = groups.get(name);
    if (group !== undefined) group.receipts.push(receipt);
    else
      groups.set(
        name,
        inSegment<Receipt[]>({ queue, lane, group: groupId }, generation, segment, [receipt]),
      );
  }
  const answers = new Map<Receipt, ReceiptResult>();
  const leases = new Set([...byText.values()].flatMap((receipt) => receipt?.lease ?? []));
  const isSingle = (unit === "segment" ? groups : leases).size <= 1;
  const parts = await Promise.allSettled([...groups.values()].map(handle));
  for (const part of parts) {
    if (part.status === "rejected") throw isSingle ? part.reason : afterChange(part.reason, PARTLY);
    for (const [receipt, result] of part.value) answers.set(receipt, result);
  }
  return texts.map((text) => {
    const receipt = byText.get(text);
    return receipt === undefined
      ? { status: "invalid" }
      : (answers.get(receipt) ?? { status: "gone" });
  });
}

/** Where an error may not say that nothing was changed. */
export const PARTLY =
  "Some of the receipts may have been handled; the same call can be made again.";
