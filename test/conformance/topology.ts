/** Random exchanges, bindings and messages, the same for a seed, in words that RabbitMQ and LaneMQ share. */
import { Random } from "../sim/random.ts";

type Type = "direct" | "fanout" | "topic" | "headers";

interface PlannedExchange {
  readonly name: string;
  readonly type: Type;
  readonly alternate: string | undefined;
}

interface PlannedBinding {
  readonly from: string;
  readonly to: { readonly queue: string } | { readonly exchange: string };
  readonly routingKey: string;
  readonly headers: Readonly<Record<string, string | null>>;
  readonly match: "all" | "any" | "all-with-x" | "any-with-x";
}

interface PlannedMessage {
  readonly exchange: string;
  readonly routingKey: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Topology {
  readonly queues: readonly string[];
  /** Each before those that name it as their alternate. */
  readonly exchanges: readonly PlannedExchange[];
  readonly bindings: readonly PlannedBinding[];
  readonly messages: readonly PlannedMessage[];
}

const TYPES: readonly Type[] = ["direct", "fanout", "topic", "headers"];
const MATCHES = ["all", "any", "all-with-x", "any-with-x"] as const;
const WORDS = ["a", "b", "c", ""];
const NAMES = ["kind", "size", "x-old"];
const VALUES = ["1", "2"];

export function topologyOf(seed: number): Topology {
  const random = new Random(seed);
  const one = <T>(values: readonly T[]): T => random.pick(values);
  const chance = (percent: number): boolean => random.chance(percent / 100);
  const words = (choices: readonly string[]): string =>
    Array.from({ length: random.int(0, 3) }, () => one(choices)).join(".");
  const record = <V>(values: readonly V[]): Record<string, V> =>
    Object.fromEntries(NAMES.filter(() => chance(50)).map((name) => [name, one(values)]));

  const prefix = `t${seed}`;
  const queues = Array.from({ length: 5 }, (_, index) => `${prefix}-q${index}`);
  const exchanges: PlannedExchange[] = [];
  for (let index = 0; index < 6; index++) {
    const alternate = exchanges.length > 0 && chance(40) ? one(exchanges).name : undefined;
    exchanges.push({ name: `${prefix}-x${index}`, type: one(TYPES), alternate });
  }
  const bindings = Array.from({ length: 22 }, (): PlannedBinding => {
    const from = one(exchanges);
    const isTopic = from.type === "topic";
    const isKeyed = isTopic || from.type === "direct";
    return {
      from: from.name,
      to: chance(30) ? { exchange: one(exchanges).name } : { queue: one(queues) },
      routingKey: isKeyed ? words(isTopic ? [...WORDS, "*", "#"] : WORDS) : "",
      headers: from.type === "headers" ? record<string | null>([...VALUES, null]) : {},
      match: one(MATCHES),
    };
  });
  const messages = Array.from({ length: 60 }, (_, index): PlannedMessage => ({
    exchange: one(exchanges).name,
    // Half of them to where something is bound.
    routingKey: chance(50) ? one(bindings).routingKey.replaceAll(/[*#]/g, "b") : words(WORDS),
    headers: record(VALUES),
    body: `m${index}`,
  }));
  return { queues, exchanges, bindings, messages };
}

/** By queue, the bodies in it, sorted; and what was given back. */
export interface Ended {
  readonly queues: Readonly<Record<string, readonly string[]>>;
  readonly returned: readonly string[];
}
