/** Taking whole trees away. */
import { chmodSync, lstatSync, readdirSync, rmSync, type Stats } from "node:fs";
import { join } from "node:path";
import { guarded, osCode } from "./os-error.ts";

/** What a removal took away. */
export interface Removal {
  /** Everything that is no directory. */
  files: number;
  directories: number;
  /** Content that lost its last name; a file with another hard link outside counts as 0. */
  bytes: number;
}

/**
 * Removes a file, a symbolic link (not what it points at) or a directory with all in it, read-only ones included.
 * Nothing there counts as removed. The numbers leave out what has a name or depth that only the kernel can handle.
 */
export function removeTree(path: string): Removal {
  const removal: Removal = { files: 0, directories: 0, bytes: 0 };
  guarded(() => {
    const links = new Map<string, number>();
    visit(path, removal, links, true);
    rmSync(path, { recursive: true, force: true });
  });
  return removal;
}

/** What `removeTree` would take away; changes nothing. */
export function measureTree(path: string): Removal {
  const removal: Removal = { files: 0, directories: 0, bytes: 0 };
  guarded(() => visit(path, removal, new Map(), false), path);
  return removal;
}

/**
 * Removes like `removeTree`, but counts nothing: for what was measured before. Directories that their owner closed are
 * opened only where one stands in the way.
 */
export function removeMeasured(path: string): void {
  guarded(() => {
    try {
      rmSync(path, { recursive: true, force: true });
    } catch (error) {
      if (osCode(error) !== "EACCES" && osCode(error) !== "EPERM") throw error;
      removeTree(path);
    }
  }, path);
}

/** Counts what is there and, to remove it, opens directories that their owner closed; the removal itself goes by open directories. */
function visit(path: string, removal: Removal, links: Map<string, number>, open: boolean): void {
  const stat = attempt(() => lstatSync(path, { throwIfNoEntry: false }));
  if (!stat) return;
  if (!stat.isDirectory()) {
    removal.files++;
    removal.bytes += freedBytes(stat, links);
    return;
  }
  removal.directories++;
  if (open && (stat.mode & 0o700) !== 0o700) chmodSync(path, 0o700);
  for (const name of attempt(() => readdirSync(path)) ?? []) visit(join(path, name), removal, links, open);
}

/** A file with several names is freed when the last of them is met. */
function freedBytes(stat: Stats, links: Map<string, number>): number {
  if (stat.nlink === 1) return stat.size;
  const file = `${stat.dev}:${stat.ino}`;
  const left = (links.get(file) ?? stat.nlink) - 1;
  links.set(file, left);
  return left === 0 ? stat.size : 0;
}

/** Undefined for a path that is too long or vanished meanwhile. */
function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (osCode(error) === "ENAMETOOLONG" || osCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
