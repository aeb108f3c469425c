/** Schedules that once found a bug; each is run in every test run. */
import type { ScheduleKey } from "./kinds.ts";

export const REGRESSIONS: readonly (ScheduleKey & { readonly found: string })[] = [
  {
    kind: "leases",
    seed: 228,
    found: "an extension said done of messages that had been claimed from its lease",
  },
  { kind: "leases", seed: 268, found: "the second copy of an extension undid a later one" },
  {
    kind: "leases",
    seed: 352078188,
    found: "depth left out what lies behind a cut without a listed successor",
  },
  {
    kind: "expiry",
    seed: 533063201,
    found: "a segment was closed whose last messages had just expired, before they had been moved",
  },
  {
    kind: "ordered",
    seed: 50373,
    found: "a lease's entry stood behind one of its members, which was then taken for gone",
  },
  {
    kind: "ordered",
    seed: 51029,
    found: "a message came though one of its key before it could not be read",
  },
  {
    kind: "cuts",
    seed: 4,
    found: "who slept for an hour over the list of segments claimed again what had been acked",
  },
  {
    kind: "once",
    seed: 531579924,
    found: "what was put under an old record was forgotten before its own window was over",
  },
  {
    kind: "ordered",
    seed: 70499,
    found: "what had had its receives and expired before it left was stuck",
  },
  {
    kind: "once",
    seed: 542681890,
    found:
      "who slept behind an empty read of the log began a new run though the old one had entries",
  },
  {
    kind: "timers",
    seed: 543768075,
    found:
      "who slept while it touched the last entry put behind it though it had been sealed since",
  },
  {
    kind: "handles",
    seed: 900000518,
    found:
      "a visit that met a purge looked for the old segments among the new, and claimed everything anew",
  },
  {
    kind: "handles",
    seed: 770002838,
    found:
      "an extension of several leases whose answer was lost said done, for somebody had extended one of them to the same time",
  },
  {
    kind: "ordered",
    seed: 770004790,
    found:
      "that a dead letter is not yet visible to an instance whose clock is behind was judged as lost",
  },
  {
    kind: "ordered",
    seed: 952942792,
    found:
      "a release took an attempt back that another holder had let run out, of a message of the key behind",
  },
  {
    kind: "ordered",
    seed: 962490088,
    found:
      "a late extension held a message of a key of which somebody else had taken back the first",
  },
  {
    kind: "ordered",
    seed: 963351608,
    found:
      "what had expired when the head passed it by was not counted among what is held, but taken off there",
  },
  {
    kind: "handles",
    seed: 961368404,
    found:
      "an ack in doubt said done of what an extension had taken out of its lease, and somebody else had had since",
  },
  {
    kind: "mix",
    seed: 961378418,
    found: "the same, where one message of a lease had been given back",
  },
  {
    kind: "letters",
    seed: 961370680,
    found: "who slept over an hour, having taken dead letters, moved again what others had moved",
  },
  {
    kind: "mix",
    seed: 961333846,
    found:
      "what was sent while a queue was being made anew was judged by the settings of the one before",
  },
  {
    kind: "ordered",
    seed: 961359772,
    found:
      "what expired while its mover slept was judged to have kept its key waiting until it was moved",
  },
  {
    kind: "groups",
    seed: 961369653,
    found:
      "a group of a queue with many lanes was never made, for of each answer's requests one was lost",
  },
  {
    kind: "purges",
    seed: 850002127,
    found:
      "a receive that slept until its queue had been deleted and made again was not counted where it claimed",
  },
  {
    kind: "leases",
    seed: 850004685,
    found: "an ack in doubt, made so by an ambush, was judged as a sure one",
  },
  {
    kind: "handles",
    seed: 15092,
    found: "an ack in doubt that met a purge half way said that nothing had been done",
  },
  {
    kind: "moves",
    seed: 870013257,
    found: "a late copy of its creation made a move task anew that had been completed",
  },
  {
    kind: "handles",
    seed: 890006498,
    found:
      "a message that an old receipt had given back before its receive was answered counted as leased by that",
  },
  {
    kind: "handles",
    seed: 1370,
    found:
      "an ack was judged as one of a lease that was over, though the clocks of who had extended it and who acked were apart",
  },
];
