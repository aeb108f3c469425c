/** AWS's rules for a message attribute of type Number. */

/** Sign, digits before and after the point, exponent. */
const NUMBER = /^[+-]?(\d*)(?:\.(\d*))?(?:e([+-]?\d{1,9}))?$/i;
const PRECISION = 38;
const SCALE_MIN = -128;
const SCALE_MAX = 126;

/** What is wrong with a number, said of an attribute; `undefined`: nothing. */
export function numberError(text: string): ((name: string) => string) | undefined {
  const match = NUMBER.exec(text);
  const whole = match?.[1] ?? "";
  const fraction = match?.[2] ?? "";
  if (match === null || whole + fraction === "")
    return (name) => `Can't cast the value of message (user) attribute '${name}' to a number.`;
  const digits = `${whole}${fraction}`.replace(/^0+/, "");
  const significant = digits.replace(/0+$/, "");
  if (significant === "") return undefined;
  if (significant.length > PRECISION)
    return (name) =>
      `Message (user) attribute '${name}' number value [${text}] must have at most ${PRECISION} precision digits.`;
  const scale = Number(match[3] ?? 0) - fraction.length + digits.length - 1;
  if (scale <= SCALE_MAX && scale >= SCALE_MIN) return undefined;
  return (name) =>
    `Message (user) attribute '${name}' number value [${text}] scale must be between 10^${SCALE_MIN} and 10^${SCALE_MAX}.`;
}
