/** What callers need of a deployment, be it simulated or real. */
import type { Service } from "../../src/service/api.ts";
import type { Auditor } from "./auditor.ts";
import type { Span } from "./ledger.ts";
import type { Random } from "./random.ts";

export interface Deployment {
  readonly random: Random;
  readonly auditor: Auditor;
  readonly plan: { readonly skewMs: number };
  readonly scheduler: { readonly now: number; sleep(ms: number): Promise<void> };
  /** Calls one of its instances; `span` says how it went, the value is there when it is `done`. */
  call<T>(
    what: string,
    run: (service: Service) => Promise<T>,
    span?: Span,
  ): Promise<{ span: Span; value: T | undefined; error: unknown }>;
  /** Runs a check of the auditor; its finding ends everything. */
  audit(run: () => void): void;
  fail(error: unknown): void;
  /** Absent: nobody listens. */
  readonly trace: ((line: string) => void) | undefined;
  /** The faults stop. */
  calm(): void;
}
