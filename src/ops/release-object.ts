/** Reading release objects: verified by the digest in their key, parsed, and checked against the hash they claim. */
import { CspError } from "../core/errors.ts";
import type { Lockfile } from "../core/lockfile.ts";
import type { LockfileHash } from "../core/lockfile-hash.ts";
import { checkRelease, parseReleaseObject, type ReleaseObject } from "../core/release.ts";
import type { Release } from "../core/store-root.ts";
import type { Store } from "../store/store.ts";

export interface CheckedRelease {
  object: ReleaseObject;
  lockfile: Lockfile;
}

/** Throws CSP_STORE_MISSING, CSP_STORE_CORRUPT, CSP_STORE_INVALID or CSP_STORE_NEWER. */
export async function readRelease(store: Store, hash: LockfileHash, release: Release): Promise<CheckedRelease> {
  const object = parseReleaseObject(await store.blobs.get(release.object, { maxBytes: release.size }));
  if (object.hash !== hash) {
    throw new CspError("CSP_STORE_INVALID", {
      message: `the store \`${store.address}\` has release \`${object.hash.slice(0, 12)}\` in the place of \`${hash.slice(0, 12)}\``,
      hint: "run `csp verify --store` and publish the release again",
      data: { store: store.address, wanted: hash, found: object.hash },
    });
  }
  return { object, lockfile: checkRelease(object) };
}
