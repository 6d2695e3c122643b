/** Release objects: a lockfile, and the key of every blob that it needs on the platforms it was published for. */
import type { Digest } from "./integrity.ts";
import type { LockfileHash } from "./lockfile-hash.ts";
import type { StoreKey } from "./store-key.ts";

export interface ReleaseObject {
  hash: LockfileHash;
  /** The whole text of `script-packages.lock`. */
  lockfile: string;
  /** Platform names, sorted; empty for all that the lockfile names. */
  platforms: readonly string[];
  blobs: ReadonlyMap<Digest, ReleaseBlob>;
}

export interface ReleaseBlob {
  key: StoreKey;
  /** Bytes. */
  size: number;
}
