/** Walking two layouts side by side, from the roots along everything that packages declare. */
import { type Declared, declaredNames, type Layout } from "./layout.ts";

export interface Difference {
  /** Packages from a root to the one that declares the name. */
  chain: readonly string[];
  name: string;
  declared: Declared;
  /** `name@version` in the one layout and in the other; undefined where nothing is found. */
  one: string | undefined;
  other: string | undefined;
}

export interface Comparison {
  differences: Difference[];
  /** Pairs of places that were compared, and names that were looked up in them. */
  places: number;
  names: number;
  /** What each layout has that the walk came to: real folders. */
  visited: { one: Set<string>; other: Set<string> };
}

interface Pair {
  one: string;
  other: string;
  chain: readonly string[];
}

/**
 * Compares what every name means, in every package that can be reached. Two places are the same only if everything that
 * can be reached from them is, so a pair of places is walked through once, whatever led to it.
 */
export function compareLayouts(one: Layout, other: Layout, roots: readonly string[]): Comparison {
  const differences: Difference[] = [];
  const visited = { one: new Set<string>(), other: new Set<string>() };
  const seen = new Set<string>();
  const queue: Pair[] = [];
  let names = 0;
  const meet = (at: Pair, name: string, declared: Declared): void => {
    names++;
    const found = { one: one.find(at.one, name), other: other.find(at.other, name) };
    const labels = { one: found.one && one.label(found.one), other: found.other && other.label(found.other) };
    if (labels.one !== labels.other) differences.push({ chain: at.chain, name, declared, ...labels });
    else if (found.one !== undefined && found.other !== undefined) {
      const key = `${found.one}\n${found.other}`;
      if (seen.has(key)) return;
      seen.add(key);
      visited.one.add(found.one);
      visited.other.add(found.other);
      queue.push({ one: found.one, other: found.other, chain: [...at.chain, one.label(found.one)] });
    }
  };
  for (const name of roots)
    meet({ one: one.root, other: other.root, chain: [] }, name, { optional: false, range: "*" });
  for (let pair = queue.shift(); pair !== undefined; pair = queue.shift()) {
    for (const [name, declared] of declaredNames(one.manifest(pair.one))) meet(pair, name, declared);
  }
  return { differences, places: seen.size, names, visited };
}

/**
 * True where an optional name has no version that was asked for. The lockfile resolves it to nothing, and so do isolated
 * packages, unless it is what they are called themselves; in a hoisted layout they see whatever happens to stand above.
 */
export function isUnresolved({ chain, declared, one, other }: Difference): boolean {
  const fits = (found: string): boolean =>
    Bun.semver.satisfies(found.slice(found.lastIndexOf("@") + 1), declared.range);
  return declared.optional && (one === undefined || !fits(one)) && (other === undefined || other === chain.at(-1));
}

/** One line a difference, for messages of failed tests. */
export function describe({ chain, name, one, other }: Difference): string {
  return `${["the root", ...chain].join(" > ")}: ${name} is ${one ?? "nothing"} and ${other ?? "nothing"}`;
}
