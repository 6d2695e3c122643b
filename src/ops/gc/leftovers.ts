/** What crashes and repairs left on a host. */
import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { isLockFree } from "../../fs/lock.ts";
import { guarded, osCode } from "../../fs/os-error.ts";
import { measureTree } from "../../fs/remove.ts";
import { scratchOwner } from "../../fs/scratch.ts";
import type { HostPaths } from "../../tree/layout.ts";

export interface Leftover {
  kind: "tmp" | "runs" | "quarantine";
  path: string;
  bytes: number;
  /** True for a scratch directory with the lock of an owner that is gone: whoever has that lock may remove it. */
  scratch: boolean;
}

export interface LeftoverView {
  leftovers: Leftover[];
  /** Paths of what a living process is working in. */
  living: string[];
}

/**
 * Scratch directories of dead owners, half-made files, and all of the quarantine, in byte order. Whoever holds the gc
 * lock alone may take for dead what nobody has locked in `tmp` and beside `current`: everybody else works there under
 * a share of that lock, or under a lock of their own. In the project's folder that is half-made files that nobody has
 * locked: no other host that uses the project asks for the gc lock of this one.
 */
export function listLeftovers(paths: HostPaths, project: string): LeftoverView {
  const view: LeftoverView = { leftovers: [], living: [] };
  const add = (kind: Leftover["kind"], path: string, scratch: boolean): void => {
    view.leftovers.push({ kind, path, bytes: measureTree(path).bytes, scratch });
  };
  for (const name of namesIn(paths.root)) if (isHalfMade(name)) add("tmp", join(paths.root, name), false);
  for (const name of namesIn(project)) {
    const path = join(project, name);
    if (isHalfMade(name) && lstatSync(path).isFile() && isLockFree(path)) add("tmp", path, false);
  }
  for (const name of namesIn(paths.tmp)) {
    const path = join(paths.tmp, name);
    const owner = scratchOwner(path);
    if (owner === "living") view.living.push(path);
    else add("tmp", path, owner === "gone");
  }
  for (const name of namesIn(paths.runs)) {
    const path = join(paths.runs, name);
    const owner = scratchOwner(path);
    if (owner === "living") view.living.push(path);
    else if (owner === "gone") add("runs", path, true);
  }
  for (const name of namesIn(paths.quarantine)) add("quarantine", join(paths.quarantine, name), false);
  return view;
}

/** What `replaceFile` and `replaceSymlink` call a file before it gets its name. */
function isHalfMade(name: string): boolean {
  return /^\.csp-\d+-\d+$/.test(name);
}

function namesIn(directory: string): string[] {
  return guarded(() => {
    try {
      return readdirSync(directory).sort();
    } catch (error) {
      if (osCode(error) === "ENOENT") return [];
      throw error;
    }
  }, directory);
}
