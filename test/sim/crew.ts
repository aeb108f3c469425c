/**
 * Many schedules on all cores: worker processes that run them one after the other, and the sum of what
 * they report.
 */
import { fork } from "node:child_process";
import type { ScheduleKey } from "./kinds.ts";
import { runSchedule } from "./schedule.ts";
import type { ScheduleReport } from "./schedule.ts";

const HANGS_AFTER_MS = 120_000;
/** A schedule is garbage when it ends: with room for all of it, little of it is ever copied. A worker has one core. */
const GARBAGE = ["--max-semi-space-size=64", "--single-threaded-gc"];

export type Told = Omit<ScheduleReport, "faults"> & {
  readonly faults: Readonly<Record<string, number>>;
  /** Of its worker's processor, all threads; what others make it wait does not count. */
  readonly cpuMs: number;
};

export interface CrewOptions {
  /** What a worker runs: a bundle of `worker.ts`. */
  readonly program: string;
  readonly workers: number;
  readonly firstSeed: number;
  /** The schedule that a seed stands for. */
  readonly scheduleOf: (seed: number) => ScheduleKey;
  /** No schedule starts after this many, or once `mayGoOn` says no. */
  readonly schedules: number;
  readonly mayGoOn: () => boolean;
  readonly onReport: (report: Told) => void;
}

/** A worker's life: a schedule in, a report out. */
export function work(): void {
  // Nobody looks at the stacks of the many errors that are part of a schedule; a replay has them.
  Error.stackTraceLimit = 0;
  process.on("message", (schedule: ScheduleKey) => {
    const before = process.cpuUsage();
    void runSchedule(schedule).then((report) => {
      const { user, system } = process.cpuUsage(before);
      const cpuMs = (user + system) / 1_000;
      process.send?.({ ...report, faults: Object.fromEntries(report.faults), cpuMs });
    });
  });
  process.on("disconnect", () => process.exit(0));
}

export async function runCrew(options: CrewOptions): Promise<void> {
  let next = options.firstSeed;
  let left = options.schedules;
  await Promise.all(Array.from({ length: options.workers }, () => oneWorker()));

  function oneWorker(): Promise<void> {
    return new Promise((resolve, reject) => {
      const child = fork(options.program, [], { execArgv: GARBAGE });
      let watch: NodeJS.Timeout | undefined;
      let hung: ScheduleKey | undefined;
      child.on("error", reject);
      child.on("message", (report: Told) => {
        clearTimeout(watch);
        options.onReport(report);
        proceed();
      });
      child.on("exit", (code) => {
        clearTimeout(watch);
        if (hung !== undefined) {
          options.onReport(hangs(hung));
          oneWorker().then(resolve, reject);
        } else if (code === 0) {
          resolve();
        } else {
          reject(new Error(`a worker ended with ${code}`));
        }
      });
      proceed();

      function proceed(): void {
        if (left <= 0 || !options.mayGoOn()) {
          child.disconnect();
          return;
        }
        const schedule = options.scheduleOf(next);
        next += 1;
        left -= 1;
        child.send(schedule);
        watch = setTimeout(() => {
          hung = schedule;
          child.kill("SIGKILL");
        }, HANGS_AFTER_MS);
      }
    });
  }
}

/** A loop that never gives way to the scheduler can only be ended from outside. */
const hangs = (schedule: ScheduleKey): Told => ({
  ...schedule,
  steps: 0,
  events: 0,
  messages: 0,
  deliveries: 0,
  faults: {},
  cpuMs: HANGS_AFTER_MS,
  plan: "?",
  failure: {
    invariant: "drains",
    text: `drains: a schedule that takes more than ${HANGS_AFTER_MS / 1_000} s`,
  },
});

/** Sums of many reports. */
export class Tally {
  schedules = 0;
  steps = 0;
  messages = 0;
  deliveries = 0;
  cpuMs = 0;
  readonly faults = new Map<string, number>();
  readonly failures: Told[] = [];

  add(report: Told): void {
    this.schedules += 1;
    this.steps += report.steps;
    this.messages += report.messages;
    this.deliveries += report.deliveries;
    this.cpuMs += report.cpuMs;
    for (const [kind, count] of Object.entries(report.faults))
      this.faults.set(kind, (this.faults.get(kind) ?? 0) + count);
    if (report.failure !== undefined) this.failures.push(report);
  }

  byInvariant(): Map<string, ScheduleKey[]> {
    const schedules = new Map<string, ScheduleKey[]>();
    for (const report of this.failures) {
      const invariant = report.failure?.invariant ?? "harness";
      schedules.set(invariant, [...(schedules.get(invariant) ?? []), report]);
    }
    return schedules;
  }

  faultLine(): string {
    return [...this.faults].map(([kind, count]) => `${kind} ${count}`).join(", ");
  }
}
