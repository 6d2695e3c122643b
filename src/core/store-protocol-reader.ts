/** What a host makes of a root that it was given. */
import type { StoreRoot } from "./store-root.ts";

/** The last root that a host acted on. */
export interface SeenRoot {
  store: string;
  generation: number;
}

/**
 * `first`: the host has seen none. `same`, `newer`: of the store it knows. `older`: of that store, and from before what it has
 * seen: a copy that lags, a backup that was restored, or somebody who replays; not to be acted on unless the user says so.
 * `another`: a store that the host does not know.
 */
export type RootVerdict = "first" | "same" | "newer" | "older" | "another";

/** Compares a root with the last one that was acted on. The same for a store that moved: it keeps its id and goes on counting. */
export function judgeRoot({ store, generation }: StoreRoot, seen: SeenRoot | undefined): RootVerdict {
  if (seen === undefined) return "first";
  if (seen.store !== store) return "another";
  return generation === seen.generation ? "same" : generation > seen.generation ? "newer" : "older";
}
