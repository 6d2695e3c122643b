/** What crashes and repairs left on a host. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { guarded, osCode } from "../fs/os-error.ts";
import { measureTree } from "../fs/remove.ts";
import { scratchOwner } from "../fs/scratch.ts";
import type { HostPaths } from "../tree/layout.ts";

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
 * a share of that lock, or under a lock of their own.
 */
export function listLeftovers(paths: HostPaths): LeftoverView {
  const view: LeftoverView = { leftovers: [], living: [] };
  const add = (kind: Leftover["kind"], path: string, scratch: boolean): void => {
    view.leftovers.push({ kind, path, bytes: measureTree(path).bytes, scratch });
  };
  for (const name of namesIn(paths.root)) {
    if (/^\.csp-\d+-\d+$/.test(name)) add("tmp", join(paths.root, name), false);
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
