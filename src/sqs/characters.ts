/** The characters that SQS takes in bodies and attributes, which are those of XML 1.0. */

/** What it does not take; halves of surrogate pairs apart. */
// oxlint-disable-next-line no-control-regex -- These are what is looked for.
const REFUSED = /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/;
const ALONE = /\p{Surrogate}/u;

export const ALLOWED = "#x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF]";

/** The first character of a text that is refused, as `#x1`; `undefined`: there is none. */
export function refusedCharacter(text: string): string | undefined {
  const found = text.isWellFormed() ? REFUSED.exec(text) : (REFUSED.exec(text) ?? ALONE.exec(text));
  return found === null ? undefined : `#x${found[0].charCodeAt(0).toString(16)}`;
}
