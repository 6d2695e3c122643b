/** `current`: the one symlink that says which tree is active. */
import { existsSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { isLockfileHash, type LockfileHash } from "../core/lockfile-hash.ts";
import { replaceSymlink } from "../fs/durable.ts";
import type { TreeDescription } from "./description.ts";
import { type HostPaths, treePath } from "./layout.ts";

/** The hash `current` names, or undefined where there is none; what it names may still be missing. */
export function readCurrent(paths: HostPaths): LockfileHash | undefined {
  let target: string;
  try {
    target = readlinkSync(paths.current);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EINVAL") return undefined;
    throw error;
  }
  const hash = target.startsWith("trees/") ? target.slice("trees/".length) : "";
  return isLockfileHash(hash) ? hash : undefined;
}

/** True where the tree is complete: its description is written last and trees arrive by rename. */
export function hasTree(paths: HostPaths, hash: LockfileHash): boolean {
  return existsSync(join(treePath(paths, hash), "tree.json"));
}

/** True where the tree is there and all of its links still lead where they should. */
export function hasWholeTree(paths: HostPaths, { hash, links }: Pick<TreeDescription, "hash" | "links">): boolean {
  const folder = treePath(paths, hash);
  return hasTree(paths, hash) && links.every(({ path, target }) => linkTarget(join(folder, path)) === target);
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

/** Moves `current`: one rename, then durable. */
export function pointCurrentAt(paths: HostPaths, hash: LockfileHash): void {
  replaceSymlink(paths.current, `trees/${hash}`);
}
