/** Which object of a store holds which blob, as its releases say it. */
import type { Digest } from "../core/integrity.ts";
import type { LockfileHash } from "../core/lockfile-hash.ts";
import type { StoreKey } from "../core/store-key.ts";
import type { StoreRoot } from "../core/store-root.ts";
import type { Store } from "../store/store.ts";
import type { Context } from "./context.ts";
import { readRelease } from "./release-object.ts";
import { type StoreSource, storeSource } from "./source.ts";
import { readRoot } from "./store-change.ts";
import { openStores } from "./stores.ts";

/** Releases that are looked into where the wanted one is not there. */
const mostReleases = 8;

/**
 * The configured stores as a source for a lockfile: its own release where it was published, else what the newest releases
 * share with it. Throws what opening and reading a store throws.
 */
export async function openReleaseKeys(
  ctx: Context,
  allowlisted: readonly string[],
  hash: LockfileHash,
): Promise<StoreSource> {
  const store = await openStores(ctx, allowlisted);
  const { root } = await readRoot(store);
  const keys = root === undefined ? new Map<Digest, StoreKey>() : await releaseKeys(store, root, hash);
  return storeSource(store, keys);
}

/** Digest to key, from the release of that hash alone or, where there is none, from the newest ones. */
export async function releaseKeys(store: Store, root: StoreRoot, hash: LockfileHash): Promise<Map<Digest, StoreKey>> {
  const own = root.releases.get(hash);
  const wanted = own === undefined ? newestReleases(root).slice(0, mostReleases) : [hash];
  const keys = new Map<Digest, StoreKey>();
  for (const each of wanted) {
    const release = root.releases.get(each);
    if (release === undefined) continue;
    const { object } = await readRelease(store, each, release);
    for (const [digest, { key }] of object.blobs) if (!keys.has(digest)) keys.set(digest, key);
  }
  return keys;
}

/** All releases, those that channels point at first, then by age. */
export function newestReleases(root: StoreRoot): LockfileHash[] {
  const heads = [...root.channels.values()].map(({ release }) => release);
  const aged = [...root.releases].sort(([, a], [, b]) => b.at - a.at).map(([hash]) => hash);
  return [...new Set([...heads, ...aged])];
}
