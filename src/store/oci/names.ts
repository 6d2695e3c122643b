/** The tags that csp makes in a repository. All others are somebody else's. */
import type { LockfileHash } from "../../core/lockfile-hash.ts";
import { parseStoreKey, type StoreKey } from "../../core/store-key.ts";
import { randomNonce } from "../store.ts";

/** The root. */
export const rootTag = "csp-root";

/** The root of one number, by which writers tell each other apart. */
export function generationTag(generation: number): string {
  return `csp-generation-${generation}`;
}

const blobs = "csp-blobs-";
const objects = "csp-object-";

/**
 * Blobs that no release refers to yet. It comes before the names of releases: in a listing that goes by name, and takes a while,
 * what moves from here into a release is met here or there.
 */
export async function newBlobsTag(): Promise<string> {
  return `${blobs}${await randomNonce()}`;
}

export function isBlobsTag(tag: string): boolean {
  return tag.startsWith(blobs) && /^[0-9a-f]{32}$/.test(tag.slice(blobs.length));
}

/** A release object with its blobs; part 0, or a further one. */
export function objectTag(key: StoreKey, part: number): string {
  return `${objects}${parseStoreKey(key)?.nonce}${part === 0 ? "" : `.${part}`}`;
}

export function isObjectTag(tag: string): boolean {
  return tag.startsWith(objects) && /^[0-9a-f]{64}(?:\.[1-9]\d{0,3})?$/.test(tag.slice(objects.length));
}

/** The release of a lockfile, for people and other tools; the last one that was put. */
export function releaseTag(hash: LockfileHash): string {
  return `release-${hash}`;
}
