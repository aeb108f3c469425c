/**
 * Which one of several gets a message, by rendezvous hashing: each has a score for the message's token,
 * and the highest wins.
 *
 * R1  One token gives one choice, on every instance: the choice needs no state.
 * R2  When one is added, only messages move that it wins; when one goes, only its own.
 * R3  Shares are as the weights; a weight of 0 gets nothing.
 */
export interface Contender {
  /** `hashOf` of what names it. */
  readonly hash: number;
  readonly weight: number;
}

export function choose<T extends Contender>(
  contenders: readonly T[],
  token: string,
): T | undefined {
  const seed = hashOf(token);
  let best: T | undefined;
  let highest = Number.NEGATIVE_INFINITY;
  for (const one of contenders) {
    if (one.weight <= 0) continue;
    // Uniform in (0, 1): the largest of these to the power of 1 / weight is each one's with its share.
    const uniform = (mix(seed ^ one.hash) + 0.5) / 2 ** 32;
    const score = Math.log(uniform) / one.weight;
    if (score > highest) {
      highest = score;
      best = one;
    }
  }
  return best;
}

/** 32 bits of a text, well mixed: FNV-1a over its UTF-16 units, then a finalizer. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return mix(hash);
}

/** The finalizer of MurmurHash3: every bit of the input changes each of the output with one half. */
function mix(value: number): number {
  let bits = value;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
