/**
 * An exchange with its bindings, compiled: which bindings a message takes.
 *
 * T1  Bindings are given in the order of their ids, whatever found them.
 * T2  What a binding's own words cannot say (filter, headers) is asked only of those that the routing
 *     key leaves over.
 */
import { choose, hashOf } from "./balance.ts";
import type { Contender } from "./balance.ts";
import type { Binding, BindingTarget, Exchange } from "./exchange.ts";
import { headerTest } from "./header-match.ts";
import type { HeaderTest } from "./header-match.ts";
import { matches, parsePattern } from "./pattern.ts";
import type { Pattern, Subject } from "./pattern.ts";
import { TopicTrie } from "./topic-trie.ts";
import type { ExchangeName } from "./types.ts";
import { transformer } from "./transform.ts";
import type { Transformer } from "./transform.ts";

export interface Route extends Contender {
  readonly place: number;
  readonly binding: Binding;
  readonly filter: Pattern | undefined;
  readonly headers: HeaderTest | undefined;
  readonly transform: Transformer | undefined;
}

/** What decides where there is a choice. */
export interface Draw {
  /** Names the message: the same for every attempt to publish it. */
  readonly token: string;
  /** Whose turn it is, where turns are taken; a message that may be published again takes none. */
  readonly turn?: (exchange: Exchange) => number;
}

export interface Candidate {
  readonly routingKey: string;
  readonly subject: Subject;
  /** Whether the target of a binding exists. */
  readonly isThere: (target: BindingTarget) => boolean;
  readonly draw: Draw;
}

export class RoutingTable {
  readonly exchange: Exchange;
  readonly #routes: readonly Route[];
  readonly #find: (routingKey: string) => readonly Route[];

  /** `bindings` in the order of their ids. */
  constructor(exchange: Exchange, bindings: readonly Binding[]) {
    this.exchange = exchange;
    this.#routes = bindings.map((binding, place) => compile(exchange, binding, place));
    this.#find = finder(exchange, this.#routes);
  }

  get size(): number {
    return this.#routes.length;
  }

  /** The exchanges that messages may go on to from here. */
  get leadsTo(): ReadonlySet<ExchangeName> {
    const { alternate } = this.exchange.settings;
    const bound = this.#routes.flatMap(({ binding: { exchange } }) => exchange ?? []);
    return new Set(alternate === null ? bound : [...bound, alternate]);
  }

  match(candidate: Candidate): readonly Route[] {
    const found = this.#find(candidate.routingKey).filter(
      ({ binding, headers, filter }) =>
        (headers === undefined || headers(candidate.subject.headers)) &&
        (filter === undefined || matches(filter, candidate.subject)) &&
        candidate.isThere(binding),
    );
    if (this.exchange.settings.type !== "balance") return found;
    const one = this.#one(found, candidate);
    return one === undefined ? [] : [one];
  }

  #one(found: readonly Route[], { routingKey, subject, draw }: Candidate): Route | undefined {
    const { by, hashHeader } = this.exchange.settings;
    if (by === "hash") {
      const hashed =
        hashHeader === undefined
          ? routingKey
          : Object.hasOwn(subject.headers, hashHeader)
            ? (subject.headers[hashHeader] ?? "")
            : "";
      return choose(found, hashed);
    }
    if (by === "roundRobin" && draw.turn !== undefined && found.length > 0) {
      return found[draw.turn(this.exchange) % found.length];
    }
    return choose(found, draw.token);
  }
}

function compile({ settings }: Exchange, binding: Binding, place: number): Route {
  return {
    place,
    binding,
    hash: hashOf(binding.id),
    weight: binding.weight ?? 1,
    filter: binding.filter === undefined ? undefined : parsePattern(binding.filter),
    headers:
      settings.type === "headers"
        ? headerTest(binding.headers ?? {}, binding.match ?? "all")
        : undefined,
    transform: binding.transform === undefined ? undefined : transformer(binding.transform),
  };
}

const NONE: readonly Route[] = [];

function finder(
  { settings }: Exchange,
  routes: readonly Route[],
): (routingKey: string) => readonly Route[] {
  if (settings.type === "direct") {
    const byKey = new Map<string, Route[]>();
    for (const route of routes) {
      const key = route.binding.routingKey ?? "";
      const same = byKey.get(key);
      if (same === undefined) byKey.set(key, [route]);
      else same.push(route);
    }
    return (routingKey) => byKey.get(routingKey) ?? NONE;
  }
  if (settings.type === "topic") {
    const trie = new TopicTrie<Route>();
    for (const route of routes) trie.add(route.binding.routingKey ?? "", route);
    return (routingKey) => trie.match(routingKey).sort((a, b) => a.place - b.place);
  }
  return () => routes;
}
