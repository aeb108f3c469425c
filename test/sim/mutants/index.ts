/**
 * Damages to the source that the simulation must find, a file for each area: for each rule of the design,
 * and for each guard by itself, what it forbids. Every text to find stands once in its file, which a test
 * checks.
 *
 * Not here, for nothing simulated can need it: a touch (L5) asks for its entry to exist, but is made two
 * minutes before the entry may go, and no request arrives later than a minute after it has left.
 */
import { CLAIM_MUTANTS } from "./claims.ts";
import { LANE_MUTANTS } from "./lanes.ts";
import { LEASE_MUTANTS } from "./leases.ts";
import { LETTER_MUTANTS } from "./letters.ts";
import { LOG_MUTANTS } from "./log.ts";
import type { Mutant } from "./mutant.ts";
import { ORDERED_MUTANTS } from "./ordered.ts";
import { PURGE_MUTANTS } from "./purges.ts";
import { SEGMENT_MUTANTS } from "./segments.ts";
import { TIME_MUTANTS } from "./time.ts";

export const MUTANTS: readonly Mutant[] = [
  ...LOG_MUTANTS,
  ...LANE_MUTANTS,
  ...CLAIM_MUTANTS,
  ...LEASE_MUTANTS,
  ...LETTER_MUTANTS,
  ...SEGMENT_MUTANTS,
  ...PURGE_MUTANTS,
  ...ORDERED_MUTANTS,
  ...TIME_MUTANTS,
];
