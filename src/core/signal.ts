/**
 * As much of an `AbortSignal` as is used: the server has many, and node's own cost more to make than most
 * calls do. A listener does not throw, and is added once.
 */
export interface Signal {
  readonly aborted: boolean;
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}
