/** Seeds whose schedules once found a bug; each is run in every test run. */
export const REGRESSIONS: readonly { readonly seed: number; readonly found: string }[] = [];
