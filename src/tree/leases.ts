/** Which trees scripts run on: those whose lease somebody holds. */
import { readdirSync } from "node:fs";
import { CspError } from "../core/errors.ts";
import type { LockfileHash } from "../core/lockfile-hash.ts";
import { isLockFree } from "../fs/lock.ts";
import { livingLockHolders } from "../fs/lock-holder.ts";
import { osCode, quotedPath } from "../fs/os-error.ts";
import { type HostPaths, leasePath } from "./layout.ts";

/** The processes that hold leases on each tree, as far as can be told: `csp run`, or the script where that has ended. */
export type LeaseHolders = ReadonlyMap<LockfileHash, readonly number[]>;

/**
 * Who runs on these trees; a tree with a lease has an entry, maybe an empty one. The kernel's list is looked at for the
 * current tree, which is never collected; a lease on another one is tried, which misses nothing. Throws CSP_GC_UNSURE
 * where leases cannot be looked at.
 */
export function readLeases(
  paths: HostPaths,
  hashes: readonly LockfileHash[],
  current: LockfileHash | undefined,
): LeaseHolders {
  if (hashes.length === 0) return new Map();
  try {
    readdirSync(paths.leases);
    const listed = livingLockHolders(hashes.map((hash) => leasePath(paths, hash)));
    const holders = new Map<LockfileHash, readonly number[]>();
    for (const hash of hashes) {
      const path = leasePath(paths, hash);
      const pids = listed.get(path);
      if (pids === undefined && (hash === current || isLockFree(path))) continue;
      holders.set(hash, pids ?? []);
    }
    return holders;
  } catch (error) {
    throw new CspError("CSP_GC_UNSURE", {
      message: `the leases of running scripts in ${quotedPath(paths.leases)} cannot be looked at`,
      hint: "make that directory readable for csp; `csp install` creates a missing one",
      data: { path: paths.leases, os: osCode(error) },
      cause: error,
    });
  }
}
