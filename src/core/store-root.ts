/** The root of a store: the one object that changes. What refers to what, and who is about to publish or to collect. */
import type { LockfileHash } from "./lockfile-hash.ts";
import type { StoreKey } from "./store-key.ts";

/** Format of the root, of release objects and of key names; a newer one is refused. */
export const storeFormat = 1;

/** Times are milliseconds since 1970 by the clock of whoever wrote them; safety never depends on them. */
export interface StoreRoot {
  /** 32 hexadecimal characters drawn when the store was made; kept by `migrate`, so that hosts know a moved store again. */
  store: string;
  /** One more with every change; a host that saw a higher one of the same store was given an old root. */
  generation: number;
  channels: ReadonlyMap<string, Channel>;
  /** Every retained release by its lockfile hash. */
  releases: ReadonlyMap<LockfileHash, Release>;
  /** Publishers and migrations under way, by 32 random hexadecimal characters. */
  intents: ReadonlyMap<string, Intent>;
  /** Keys that nothing refers to, and since when that is known. An intent may still take them back. */
  doomed: ReadonlyMap<StoreKey, number>;
  /** Keys that nobody can refer to any more, to be deleted. */
  deleting: readonly StoreKey[];
  /** Where this store went; publishers and hosts stop here. */
  moved?: { to: string; at: number; by: string };
}

export interface Channel {
  /** The release it points at. */
  release: LockfileHash;
  /** The newest first, beginning with the present one; as many as are retained. */
  history: readonly ChannelMove[];
}

export interface ChannelMove {
  release: LockfileHash;
  at: number;
  /** `user@host`. */
  by: string;
  reason: string | null;
}

export interface Release {
  /** Key of the release object. */
  object: StoreKey;
  /** Bytes of the release object. */
  size: number;
  at: number;
  by: string;
  reason: string | null;
  /** How many blobs it refers to, and their bytes together. */
  blobs: number;
  bytes: number;
  /** Platform names whose blobs are in it, sorted; empty for all that the lockfile names. */
  platforms: readonly string[];
  /** Kept however old. */
  pin?: { at: number; by: string; reason: string | null };
}

export interface Intent {
  purpose: "publish" | "migrate";
  /** Every key it refers to, reused and new, also of release objects. */
  keys: readonly StoreKey[];
  at: number;
  by: string;
}
