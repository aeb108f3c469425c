/** A damage to the source that the simulation must find. */
import type { KindName } from "../kinds.ts";

export interface Mutant {
  readonly name: string;
  /** The rule of the design, or of the file's header, that it breaks. */
  readonly rule: Rule;
  /** Schedules that need the rule. */
  readonly kinds: readonly KindName[];
  readonly file: string;
  /** Each: a text to find, which stands once in the file, and its replacement. */
  readonly edits: readonly (readonly [find: string, replace: string])[];
}

/** A letter and a number, as L5. */
type Rule = `${string}${number}`;

/** Damages of one edit, which schedules of these kinds find where nothing else is said. */
export const damages =
  (usual: readonly KindName[]) =>
  (
    rule: Rule,
    name: string,
    file: string,
    find: string,
    replace: string,
    kinds: readonly KindName[] = usual,
  ): Mutant => ({ name, rule, kinds, file, edits: [[find, replace]] });
