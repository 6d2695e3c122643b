/** Keeping the current tree for a script: a lease, which the collector respects. */
import { existsSync } from "node:fs";
import { CspError } from "../core/errors.ts";
import type { LockfileHash } from "../core/lockfile-hash.ts";
import { type Lock, tryLock } from "../fs/lock.ts";
import { describeHolder, readHolder } from "../fs/lock-holder.ts";
import { hasTree, readCurrent } from "../tree/current.ts";
import { type HostPaths, hostPaths, leasePath, treePath } from "../tree/layout.ts";
import type { Context } from "./context.ts";
import { requireCurrent, short } from "./current-tree.ts";

/** A tree that cannot be collected while its lease is held. */
export interface LeasedTree {
  hash: LockfileHash;
  /** Absolute path of the tree. */
  folder: string;
  /** To be handed to the child; undefined where leases cannot be had (a data directory from before leases, read-only). */
  lease: Lock | undefined;
}

/** A second, in pauses of a millisecond: others have the whole lease only for the moment of a look or of a rename. */
const attempts = 1000;

/**
 * Takes a lease on the current tree. Between reading `current` and having the lease the tree may be retired and
 * collected, so it is looked at again with the lease in hand, and a lease that is busy, because the collector just looks at
 * it, is asked for again. Waits for no installation and no collection. Throws CSP_NOT_INSTALLED or CSP_NOT_READY.
 */
export function leaseCurrent(ctx: Context): LeasedTree {
  const paths = hostPaths(ctx.dataRoot);
  for (let attempt = 0; attempt < attempts; attempt++) {
    const hash = readCurrent(paths);
    if (hash === undefined) break;
    const lease = takeLease(ctx, paths, hash);
    if (lease === "busy") {
      Bun.sleepSync(1);
      continue;
    }
    if (hasTree(paths, hash)) return { hash, folder: treePath(paths, hash), lease };
    lease?.release();
    if (readCurrent(paths) === hash) break;
  }
  const { hash } = requireCurrent(ctx);
  throw new CspError("CSP_LOCK_TIMEOUT", {
    message: `the lease of tree ${short(hash)} is held by ${describeHolder(readHolder(leasePath(paths, hash)))}`,
    hint: "run the script again when that process has ended",
  });
}

function takeLease(ctx: Context, paths: HostPaths, hash: LockfileHash): Lock | "busy" | undefined {
  const path = leasePath(paths, hash);
  if (!existsSync(path)) return undefined;
  return tryLock(path, { mode: "shared", purpose: ctx.command, now: ctx.now, fileMode: 0o644 }) ?? "busy";
}
