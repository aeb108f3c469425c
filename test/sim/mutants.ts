/**
 * Damages to the source that the simulation must find: for each rule of the design, what it forbids.
 * `find` stands once in `file`.
 */
export interface Mutant {
  readonly name: string;
  /** The rule of the design that it breaks. */
  readonly rule: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export const MUTANTS: readonly Mutant[] = [];
