/** Bundles: a part of a store in one file, a plain tar archive (docs/reference/bundle-format.md). */
import type { Digest } from "./integrity.ts";
import type { LockfileHash } from "./lockfile-hash.ts";
import { type ObjectKind, parseStoreKey, type StoreKey } from "./store-key.ts";

/** Format of bundles; a newer one is refused. */
export const bundleFormat = 1;

/** What `csp-bundle.json`, the first entry, says. */
export interface BundleHead {
  format: typeof bundleFormat;
  /** ISO time, UTC. */
  created: string;
  by: string;
  /** Releases whose blobs are left out: whoever imports has them. Sorted. */
  since: readonly LockfileHash[];
}

export const headName = "csp-bundle.json";
/** The second entry: the root, with the releases and channels that are in the bundle. */
export const rootName = "root.json";

/** The entry of an object. The digest alone names it: in a bundle nothing is ever replaced. */
export function bundleEntry(key: StoreKey): string {
  const parts = parseStoreKey(key);
  if (parts === undefined) throw new Error(`not a store key: ${key.slice(0, 200)}`);
  return `${parts.kind}/${parts.digest.slice(0, 64)}/${parts.digest.slice(64)}`;
}

/** The object of an entry's name; undefined for anything else. */
export function parseBundleEntry(name: string): { kind: ObjectKind; digest: Digest } | undefined {
  const [, kind, one, other] = /^(blobs|releases)\/([0-9a-f]{64})\/([0-9a-f]{64})$/.exec(name) ?? [];
  return kind === undefined ? undefined : { kind: kind as ObjectKind, digest: `${one}${other}` };
}

/** Reads the head; undefined for what is none, "newer" for a later format. */
export function parseBundleHead(text: string): BundleHead | "newer" | undefined {
  try {
    const head = JSON.parse(text) as BundleHead;
    if (typeof head.format === "number" && head.format > bundleFormat) return "newer";
    const { format, created, by, since } = head;
    const isHead =
      format === bundleFormat &&
      typeof created === "string" &&
      typeof by === "string" &&
      Array.isArray(since) &&
      since.every((hash) => typeof hash === "string" && /^[0-9a-f]{64}$/.test(hash));
    return isHead ? { format, created, by, since } : undefined;
  } catch {
    return undefined;
  }
}
