/** Seeds whose schedules once found a bug; each is run in every test run. */
export const REGRESSIONS: readonly { readonly seed: number; readonly found: string }[] = [
  { seed: 228, found: "an extension said done of messages that had been claimed from its lease" },
  { seed: 268, found: "the second copy of an extension undid a later one" },
  { seed: 352078188, found: "depth left out what lies behind a cut without a listed successor" },
];
