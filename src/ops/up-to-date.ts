/** What the project's files led to before, answered without parsing them. Imports next to nothing. */

import type { LockfileHash } from "../core/lockfile-hash.ts";
import { platformName } from "../core/platform.ts";
import { hasWholeTree, readCurrent } from "../tree/current.ts";
import { missingInstances, type TreeDescription } from "../tree/description.ts";
import { hostPaths } from "../tree/layout.ts";
import { readStamp, stampHash } from "../tree/stamp.ts";
import type { Context } from "./context.ts";
import { readBytes } from "./text.ts";

export type Surroundings = Pick<Context, "project" | "dataRoot" | "platform" | "version">;

/** A tree that needs no closer look: its packages are all here. */
export interface KnownTree {
  description: TreeDescription;
  /** The project's lockfile, not decoded: mostly only its hash is needed. */
  lockfile: Uint8Array;
  /** The tree that is current now. */
  from: LockfileHash | undefined;
  /** True where it is current and whole: nothing is to be done. */
  isCurrent: boolean;
}

/**
 * The tree that these very bytes of the project's files led to before; undefined where that is not known, or where one
 * of its packages is gone.
 */
export function findKnownTree(ctx: Surroundings): KnownTree | undefined {
  const paths = hostPaths(ctx.dataRoot);
  const lockfile = readBytes(ctx.project.lockfile);
  const allowlist = readBytes(ctx.project.allowlist);
  if (lockfile === undefined || allowlist === undefined) return undefined;
  const description = readStamp(paths, stampKey(ctx, allowlist, lockfile));
  if (description === undefined || missingInstances(paths, description.instances).length > 0) return undefined;
  const from = readCurrent(paths);
  const isCurrent = from === description.hash && hasWholeTree(paths, description);
  return { description, lockfile, from, isCurrent };
}

/** Everything that decides which tree a project means on this host. */
export function stampKey(ctx: Surroundings, allowlist: Uint8Array, lockfile: Uint8Array): string {
  const settings = [ctx.version, platformName(ctx.platform), ctx.project.directory];
  return stampHash([...settings, stampHash(allowlist), stampHash(lockfile)].join("\n"));
}
