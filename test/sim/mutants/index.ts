/**
 * Damages to the source that the simulation must find, a file for each area: for each rule of the design,
 * and for each guard by itself, what it forbids. Every text to find stands once in its file, which a test
 * checks.
 *
 * Not here are guards that nothing simulated can need:
 *
 * - a touch (L5) asks for its entry to exist, but is made two minutes before the entry may go, and no
 *   request arrives later than a minute after it has left;
 * - acks, closing a drained segment, giving a closed one its ttl, marking an anchor as used, and removing
 *   what has left for another queue ask for what they change to exist: else they would leave an item that
 *   nobody reads, which costs space, but breaks no promise;
 * - a cut ahead asks for its segment to be open, or still to be absent: a closed one's end is read by
 *   nobody, and claims of an absent one are refused at most once before it is read again;
 * - marking a lane as ended asks for the anchor as read: a restart in between ends with the lane, which is
 *   kept until what was put meanwhile has expired;
 * - that a run was used (L7) matters only where clocks step back by an hour: test/service/append.test.ts.
 */
import { CLAIM_MUTANTS } from "./claims.ts";
import { GROUP_MUTANTS } from "./groups.ts";
import { HANDLE_MUTANTS } from "./handles.ts";
import { LANE_MUTANTS } from "./lanes.ts";
import { LEASE_MUTANTS } from "./leases.ts";
import { LETTER_MUTANTS } from "./letters.ts";
import { LOG_MUTANTS } from "./log.ts";
import { MOVE_MUTANTS } from "./moves.ts";
import type { Mutant } from "./mutant.ts";
import { ONCE_MUTANTS } from "./once.ts";
import { ORDERED_MUTANTS } from "./ordered.ts";
import { PURGE_MUTANTS } from "./purges.ts";
import { ROUTING_MUTANTS } from "./routing.ts";
import { SEGMENT_MUTANTS } from "./segments.ts";
import { SHARING_MUTANTS } from "./sharing.ts";
import { TIME_MUTANTS } from "./time.ts";

export const MUTANTS: readonly Mutant[] = [
  ...LOG_MUTANTS,
  ...LANE_MUTANTS,
  ...CLAIM_MUTANTS,
  ...LEASE_MUTANTS,
  ...LETTER_MUTANTS,
  ...MOVE_MUTANTS,
  ...SEGMENT_MUTANTS,
  ...PURGE_MUTANTS,
  ...SHARING_MUTANTS,
  ...GROUP_MUTANTS,
  ...ONCE_MUTANTS,
  ...ORDERED_MUTANTS,
  ...HANDLE_MUTANTS,
  ...TIME_MUTANTS,
  ...ROUTING_MUTANTS,
];
