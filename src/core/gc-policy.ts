/** Which trees the collector keeps, and why. Pure, so that `gc`, its dry run and `status` judge alike. */
import type { LockfileHash } from "./lockfile-hash.ts";

/** Times in milliseconds. */
export interface GcLimits {
  /** Trees before the current one that stay. */
  keepPrevious: number;
  /** How long a retired tree stays. */
  treeGrace: number;
  /** How long a blob stays after the last tree with it was collected. */
  blobGrace: number;
}

/** What is known of the trees of a host. */
export interface TreeFacts {
  present: readonly LockfileHash[];
  current: LockfileHash | undefined;
  /** Where rollbacks lead, nearest first. */
  earlier: readonly LockfileHash[];
  /** Pinned trees, with what is to be said of it. */
  pins: ReadonlyMap<LockfileHash, string>;
  /** Trees that scripts run on, with what is to be said of them. */
  running: ReadonlyMap<LockfileHash, string>;
  /** Since when a tree is retired, in milliseconds since 1970; absent for one whose time nobody knows. */
  retired: ReadonlyMap<LockfileHash, number>;
}

export interface TreeVerdict {
  hash: LockfileHash;
  /** Why it stays, in words; empty where it can be collected. */
  keeps: readonly string[];
  /** Milliseconds since 1970; undefined for the current tree. */
  retiredAt: number | undefined;
  /** When grace ends; undefined where that alone would not make it collectable. */
  collectableAt: number | undefined;
}

/**
 * Judges every tree, in byte order of hashes. A tree with no known retirement counts as retired just now, and so does
 * one whose retirement lies in the future: a clock that was set back must not take a tree away.
 */
export function judgeTrees(facts: TreeFacts, limits: GcLimits, now: number): TreeVerdict[] {
  const { current, pins, running } = facts;
  const present = new Set(facts.present);
  const previous = facts.earlier.filter((hash) => present.has(hash)).slice(0, limits.keepPrevious);
  return [...facts.present].sort().map((hash): TreeVerdict => {
    const keeps: string[] = [];
    if (hash === current) keeps.push("current");
    const nth = previous.indexOf(hash);
    if (nth >= 0) keeps.push(nth === 0 ? "the one before the current" : `${nth + 1} before the current`);
    const pin = pins.get(hash);
    if (pin !== undefined) keeps.push(pin);
    const use = running.get(hash);
    if (use !== undefined) keeps.push(use);
    if (hash === current) return { hash, keeps, retiredAt: undefined, collectableAt: undefined };
    const retiredAt = facts.retired.get(hash) ?? now;
    const collectableAt = graceEnd(retiredAt, limits.treeGrace);
    const inGrace = isInGrace(retiredAt, limits.treeGrace, now);
    const lasting = keeps.length > 0;
    if (inGrace) keeps.push(`in grace until ${new Date(collectableAt).toISOString()}`);
    return { hash, keeps, retiredAt, collectableAt: lasting ? undefined : collectableAt };
  });
}

/** True where less than the grace has passed; a time in the future has no age yet. */
export function isInGrace(since: number, grace: number, now: number): boolean {
  return Math.max(0, now - since) < grace;
}

/** When a grace ends, within what a date can say. */
export function graceEnd(since: number, grace: number): number {
  return Math.min(since + grace, 8_640_000_000_000_000);
}
