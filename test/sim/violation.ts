/**
 * The invariants a schedule is judged by, each by its name and what it promises. A failure names one.
 */
const INVARIANTS = {
  lost: "A message whose send was confirmed is delivered, dead-lettered or past its retention.",
  phantom: "What is delivered was sent, byte for byte, and was not refused.",
  twice: "A message sent once stands at one place only, and no id is issued twice.",
  overlap: "No two leases on one message live at once, beyond the skew margin (C5).",
  leased: "A lease lasts from its claim on, as long as was asked for (C10).",
  resurrected: "After a confirmed ack a message is never delivered.",
  falseDone: "An ack says done only for a message that its lease still held (C3).",
  falseGone: "A lease that is live and untouched can be acked.",
  receives: "The receive count says how often a message was claimed.",
  deadLetter:
    "A message is dead-lettered after exactly maxReceives attempts or past its expiry, and once (C6).",
  cancelled: "After a confirmed cancellation a scheduled message is never delivered (T3, T6).",
  backoff:
    "A message whose lease ran out waits for its back-off before it is delivered again (R4).",
  expired:
    "Nothing is delivered past its expiry, before it is visible, or with other times than it was sent with (M2).",
  order:
    "Messages of a key are delivered in the order of their sends, to one holder at a time (T1–T3, O1, Q3).",
  purged: "Nothing sent before a confirmed purge, or to a queue since deleted, is delivered (C8).",
  foreign: "A message is delivered by the queue it is in.",
  log: "Offsets never overlap, entries follow one another, never change and outlive their predecessors (L1, L2, L4).",
  moves:
    "A move task that was started ends, once, as it was said to; when it is completed, nothing that it claimed is under way (N2–N5).",
  depth: "Depth is right when everything is still.",
  drains: "Without faults, everything drains in a bounded number of steps.",
  crash: "No error but those of the table, none of them internal.",
} as const;

export type Invariant = keyof typeof INVARIANTS;

export class Violation extends Error {
  override readonly name = "Violation";
  readonly invariant: Invariant;

  constructor(invariant: Invariant, detail: string) {
    super(`${invariant}: ${detail}\n  (${INVARIANTS[invariant]})`);
    this.invariant = invariant;
  }
}
