/**
 * Topic patterns compiled into one trie: words separated by dots, `*` for one word, `#` for any number
 * of words, none included.
 *
 * T1  A match costs what the pattern words that the key can reach cost, however many patterns there
 *     are: all nodes that a prefix of the key leads to are followed at once, and none of them twice.
 */
export class TopicTrie<T> {
  readonly #root = new Node<T>(false);
  #step = 0;

  add(pattern: string, value: T): void {
    let node = this.#root;
    for (const word of wordsOf(pattern)) node = node.child(word);
    (node.values ??= []).push(value);
  }

  /** The values of all patterns that match, in no order. */
  match(key: string): T[] {
    let active: Node<T>[] = [];
    this.#enter(this.#root, active, ++this.#step);
    for (const word of wordsOf(key)) {
      const next: Node<T>[] = [];
      const step = ++this.#step;
      for (const node of active) {
        if (node.isHash) this.#enter(node, next, step);
        if (node.star !== undefined) this.#enter(node.star, next, step);
        const exact = node.exact(word);
        if (exact !== undefined) this.#enter(exact, next, step);
      }
      if (next.length === 0) return [];
      active = next;
    }
    const found: T[] = [];
    for (const { values = [] } of active) for (const value of values) found.push(value);
    return found;
  }

  /** A `#` may stand for no word: what is behind it is reached along with what is before it. */
  #enter(node: Node<T>, into: Node<T>[], step: number): void {
    for (
      let reached: Node<T> | undefined = node;
      reached !== undefined && reached.step !== step;
      reached = reached.hash
    ) {
      reached.step = step;
      into.push(reached);
    }
  }
}

/** Most nodes have one child and many no value: what only some need is made when it is. */
class Node<T> {
  readonly isHash: boolean;
  values: T[] | undefined;
  star: Node<T> | undefined;
  hash: Node<T> | undefined;
  /** The last step of a match that reached this node. */
  step = 0;
  #word = "";
  #only: Node<T> | undefined;
  #words: Map<string, Node<T>> | undefined;

  constructor(isHash: boolean) {
    this.isHash = isHash;
  }

  exact(word: string): Node<T> | undefined {
    if (this.#words !== undefined) return this.#words.get(word);
    return this.#word === word ? this.#only : undefined;
  }

  child(word: string): Node<T> {
    if (word === "*") return (this.star ??= new Node<T>(false));
    // Two # in a row say what one says.
    if (word === "#") return this.isHash ? this : (this.hash ??= new Node<T>(true));
    const found = this.exact(word);
    if (found !== undefined) return found;
    const added = new Node<T>(false);
    if (this.#words !== undefined) this.#words.set(word, added);
    else if (this.#only === undefined) {
      this.#word = word;
      this.#only = added;
    } else {
      this.#words = new Map([
        [this.#word, this.#only],
        [word, added],
      ]);
    }
    return added;
  }
}

/** The empty key has no words. */
const wordsOf = (key: string): readonly string[] => (key === "" ? [] : key.split("."));
