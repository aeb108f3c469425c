/**
 * Those who are here, where many come and each stays for a moment only.
 *
 * A `Set` would do, but for the garbage collector: a table that V8 makes anew is named by the one before it,
 * so one such table that has died old keeps all that are made after it, with whatever they held, until the
 * whole heap is collected. What a busy server's requests are made of would be promoted, each of them.
 */
interface Place<T> {
  value: T | undefined;
  before: Place<T> | undefined;
  after: Place<T> | undefined;
}

export class Roster<T extends object> {
  #last: Place<T> | undefined;

  /** What it returns takes the value away again. */
  add(value: T): () => void {
    const place: Place<T> = { value, before: this.#last, after: undefined };
    if (this.#last !== undefined) this.#last.after = place;
    this.#last = place;
    return () => this.#remove(place);
  }

  /** All that are here now, the last one first. */
  all(): T[] {
    const all: T[] = [];
    for (let place = this.#last; place !== undefined; place = place.before)
      if (place.value !== undefined) all.push(place.value);
    return all;
  }

  /** It names nobody any more, or would keep them in its turn. */
  #remove(place: Place<T>): void {
    if (place.value === undefined) return;
    if (place.before !== undefined) place.before.after = place.after;
    if (place.after !== undefined) place.after.before = place.before;
    else this.#last = place.before;
    place.value = place.before = place.after = undefined;
  }
}
