/** What an operator asks of a host beside its current tree: who runs, what is held, what can go when, how much is free. */
import { existsSync } from "node:fs";
import { type CspError, isCspError } from "../core/errors.ts";
import type { Hold } from "../core/journal-story.ts";
import type { LockfileHash } from "../core/lockfile-hash.ts";
import { type FreeSpace, freeSpace } from "../fs/free-space.ts";
import { hostPaths } from "../tree/layout.ts";
import type { Pin } from "../tree/pins.ts";
import type { Context } from "./context.ts";
import { gcLimits, viewTrees } from "./gc/roots.ts";
import { readHolds } from "./hold.ts";

/** A tree that is not current any more. */
export interface RetiredTree {
  hash: LockfileHash;
  /** ISO times, UTC; `collectableAt` is null for a tree that something other than grace keeps. */
  since: string;
  collectableAt: string | null;
  /** Why it is kept now; empty where `csp gc` would remove it. */
  keptBy: readonly string[];
}

export interface HostFacts {
  /** Hashes that automatic syncs leave alone. */
  held: Hold[];
  pins: readonly Pin[];
  /** Trees that scripts run on, with the processes that hold them; another user's may be missing from the list. */
  running: { hash: LockfileHash; processes: readonly number[] }[];
  retired: RetiredTree[];
  /** Of the data directory's file system; null where there is no data directory. */
  free: FreeSpace | null;
  /** Why `csp gc` would refuse to work. */
  refused: CspError | null;
}

/** Reads the state; what the collector would refuse to judge is told, not thrown. */
export function readHostFacts(ctx: Pick<Context, "dataRoot" | "project" | "now">): HostFacts {
  const paths = hostPaths(ctx.dataRoot);
  const facts: HostFacts = {
    held: readHolds(paths),
    pins: [],
    running: [],
    retired: [],
    free: existsSync(paths.root) ? freeSpace(paths.root) : null,
    refused: null,
  };
  try {
    const view = viewTrees(paths, gcLimits(ctx), ctx.now());
    const retired = view.verdicts.flatMap(({ hash, keeps, retiredAt, collectableAt }): RetiredTree[] => {
      if (retiredAt === undefined) return [];
      const until = collectableAt === undefined ? null : new Date(collectableAt).toISOString();
      return [{ hash, since: new Date(retiredAt).toISOString(), collectableAt: until, keptBy: keeps }];
    });
    const running = [...view.leases].map(([hash, processes]) => ({ hash, processes }));
    return { ...facts, pins: view.pins, running, retired };
  } catch (error) {
    if (!isCspError(error)) throw error;
    return { ...facts, refused: error };
  }
}
