/** Names of the metrics that the janitor emits and the alarms and the dashboard read. */
export const METRICS_NAMESPACE = "LaneMQ";

export const METRIC = {
  /** Per queue, only while it is not empty. */
  ready: "Ready",
  leased: "Leased",
  delayed: "Delayed",
  /** Per queue, and over all queues that are not dead-letter queues. */
  oldestAge: "OldestReadyAgeSeconds",
  /** Over all dead-letter queues. */
  deadLetters: "DeadLetters",
  /** Dead-lettered by the janitor, for queues that nobody polls. */
  deadLettered: "DeadLetteredByJanitor",
} as const;
