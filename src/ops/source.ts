/** Where blobs come from that a host lacks: a release in a store, the registry, or one after the other. */
import type { Allowlist } from "../core/allowlist.ts";
import { isCspError, type Warning } from "../core/errors.ts";
import type { Digest } from "../core/integrity.ts";
import type { LockfileHash } from "../core/lockfile-hash.ts";
import type { StoreKey } from "../core/store-key.ts";
import type { Store } from "../store/store.ts";
import type { Context } from "./context.ts";
import type { Registry } from "./registry.ts";

/** A blob by its digest, and the package that it is. */
export interface WantedBlob {
  digest: Digest;
  name: string;
  version: string;
  /** The tarball's path at the registry, where it cannot be derived. */
  tarball?: string | undefined;
}

/** Gives the bytes in an ArrayBuffer of their own. Whoever uses them compares them with the digest. */
export type BlobSource = (blob: WantedBlob, limit: { maxBytes: number }) => Promise<Uint8Array>;

/** The same, or undefined where it does not have the blob. */
export type StoreSource = (...of: Parameters<BlobSource>) => Promise<Uint8Array | undefined>;

/** The registry, opened at the first blob: what is wrong with its configuration matters only then. */
export function registrySource(ctx: Context, allowlist: Pick<Allowlist, "registry">): BlobSource {
  let opening: Promise<Registry> | undefined;
  return async (blob, limit) => {
    opening ??= import("./registry.ts").then(({ openRegistry }) => openRegistry(ctx, allowlist));
    const [{ client }, { place }] = await Promise.all([opening, import("./registry.ts")]);
    return client.tarballBytes(place(blob), limit);
  };
}

/** The objects of a store under the keys that a release has for them; undefined where it has none. */
export function storeSource(store: Store, keys: ReadonlyMap<Digest, StoreKey>): StoreSource {
  return async ({ digest }, limit) => {
    const key = keys.get(digest);
    return key === undefined ? undefined : store.blobs.get(key, limit);
  };
}

/**
 * What an installation fetches from: the configured store where it has the blob, else the registry. A store that cannot be
 * used is said once and left out.
 */
export function installSource(ctx: Context, allowlist: Allowlist, hash: LockfileHash): BlobSource {
  const registry = registrySource(ctx, allowlist);
  if (ctx.stores.length + allowlist.stores.length === 0) return registry;
  let opening: Promise<StoreSource | undefined> | undefined;
  const warned = new Set<string>();
  const lost = (error: unknown): undefined => {
    if (!isCspError(error)) throw error;
    // One damaged object says nothing about the others; a store that does not answer is not asked again.
    if (!isCspError(error, "CSP_STORE_CORRUPT") && !isCspError(error, "CSP_STORE_MISSING")) {
      opening = Promise.resolve(undefined);
    }
    if (!warned.has(error.message)) ctx.warn(unusable(error.message));
    warned.add(error.message);
    return undefined;
  };
  return async (blob, limit) => {
    opening ??= import("./release-keys.ts").then(({ openReleaseKeys }) => openReleaseKeys(ctx, allowlist.stores, hash));
    const bytes = await opening.then((from) => from?.(blob, limit)).catch(lost);
    return bytes ?? registry(blob, limit);
  };
}

function unusable(why: string): Warning {
  return { code: "CSP_WARN_STORE", message: `packages come from the registry, because ${why}` };
}
