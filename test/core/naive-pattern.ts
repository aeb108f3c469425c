/** Event patterns read off their definition, slowly: what the compiled matcher is held to. */
type Json = unknown;
type Fields = Readonly<Record<string, Json>>;

export function matchesNaively(pattern: Json, subject: { headers: Fields; body: Json }): boolean {
  return Object.entries(pattern as Fields).every(([name, field]) => {
    if (name === "$or") return (field as Json[]).some((one) => matchesNaively(one, subject));
    if (name === "headers") return ofField(field, subject.headers, true);
    return ofField(field, subject.body, false);
  });
}

function ofField(pattern: Json, value: Json, isText: boolean): boolean {
  if (Array.isArray(pattern)) return leaf(pattern, value, isText);
  const candidates = flat(value).filter((one) => isFields(one));
  return (candidates.length === 0 ? [{}] : candidates).some((candidate) =>
    object(pattern as Fields, candidate, isText),
  );
}

const object = (pattern: Fields, value: Fields, isText: boolean): boolean =>
  Object.entries(pattern).every(([name, field]) =>
    name === "$or"
      ? (field as Fields[]).some((one) => object(one, value, isText))
      : ofField(field, Object.getOwnPropertyDescriptor(value, name)?.value, isText),
  );

function leaf(alternatives: readonly Json[], value: Json, isText: boolean): boolean {
  const values = flat(value).filter((one) => !isFields(one) && one !== undefined);
  return alternatives.some((alternative) =>
    JSON.stringify(alternative) === '{"exists":false}'
      ? values.length === 0
      : values.some((one) => holds(alternative, one, isText)),
  );
}

function holds(alternative: Json, value: Json, isText: boolean): boolean {
  if (!isFields(alternative)) return alternative === value;
  const [[name, operand] = ["", undefined]] = Object.entries(alternative);
  switch (name) {
    case "exists":
      return operand === true;
    case "anything-but":
      return isFields(operand)
        ? !anyOf(operand, value)
        : ![operand].flat().some((excluded) => excluded === value);
    case "numeric":
      return (
        typeof value === (isText ? "string" : "number") &&
        numeric(operand as (string | number)[], value)
      );
    default:
      return typeof value === "string" && text(name, operand, value);
  }
}

/** `{ "prefix": ["a", "b"] }` is one of `{ "prefix": "a" }` and `{ "prefix": "b" }`. */
const anyOf = (operator: Fields, value: Json): boolean =>
  Object.entries(operator).some(([name, operand]) =>
    [operand].flat().some((one) => typeof value === "string" && text(name, one, value)),
  );

function numeric(parts: readonly (string | number)[], value: Json): boolean {
  if (typeof value === "string" && !/^-?\d+(\.\d+)?$/.test(value)) return false;
  const left = Number(value);
  for (let index = 0; index < parts.length; index += 2) {
    const right = Number(parts[index + 1]);
    const holds = {
      "=": left === right,
      ">": left > right,
      ">=": left >= right,
      "<": left < right,
    };
    if (!(holds[parts[index] as keyof typeof holds] ?? left <= right)) return false;
  }
  return true;
}

function text(name: string, operand: Json, value: string): boolean {
  if (isFields(operand)) {
    const inner = String(operand["equals-ignore-case"]);
    return text(name, inner.toLowerCase(), value.toLowerCase());
  }
  const wanted = String(operand);
  if (name === "prefix") return value.slice(0, wanted.length) === wanted;
  if (name === "suffix") return wanted === "" || value.slice(-wanted.length) === wanted;
  if (name === "equals-ignore-case") return value.toLowerCase() === wanted.toLowerCase();
  const source = wanted.replaceAll(/\\([*\\])|(\*)|[^\w]/g, (found, escaped, star) =>
    star === undefined
      ? `\\u{${String(escaped ?? found)
          .codePointAt(0)
          ?.toString(16)}}`
      : ".*",
  );
  return new RegExp(`^${source}$`, "su").test(value);
}

const flat = (value: Json): Json[] => (Array.isArray(value) ? value.flatMap(flat) : [value]);

const isFields = (value: Json): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
