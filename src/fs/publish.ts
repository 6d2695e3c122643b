/** Moving whole directories: the only way in to, and out of, a place where a name means "complete". */
import { closeSync, constants, fchmodSync, fstatSync, openSync, renameSync } from "node:fs";
import { renameWith, systemError } from "./libc.ts";
import { guarded, osCode } from "./os-error.ts";

/**
 * Gives a finished directory its final name unless that name exists, in which case nothing changes. What is in it must
 * be synced before (`syncFileSystem`) and the parent of the final name after (`syncDirectory`), once for many.
 */
export function publishDirectory(staged: string, final: string): "published" | "exists" {
  return guarded(() => {
    try {
      whileWritable(staged, () => renameNew(staged, final));
      return "published";
    } catch (error) {
      if (osCode(error) === "EEXIST" || osCode(error) === "ENOTEMPTY") return "exists";
      throw error;
    }
  }, final);
}

/** Renames a directory, also one that its owner made read-only. The new name must not exist. */
export function moveDirectory(from: string, to: string): void {
  guarded(() => whileWritable(from, () => renameNew(from, to)), from);
}

/**
 * Swaps two names in one step; who has files open in either keeps them. False where the file system cannot do it,
 * and then nothing changed.
 */
export function exchangeDirectories(one: string, other: string): boolean {
  return guarded(() => {
    try {
      whileWritable(one, () => whileWritable(other, () => check(renameWith("exchange", one, other), one)));
      return true;
    } catch (error) {
      if (osCode(error) === "EINVAL" || osCode(error) === "ENOSYS") return false;
      throw error;
    }
  }, one);
}

function renameNew(from: string, to: string): void {
  try {
    check(renameWith("keep", from, to), to);
  } catch (error) {
    if (osCode(error) !== "EINVAL" && osCode(error) !== "ENOSYS") throw error;
    // The plain rename of a directory replaces nothing but an empty directory, which was never complete.
    renameSync(from, to);
  }
}

function check(errno: number, path: string): void {
  if (errno !== 0) throw systemError(errno, "renameat2", path);
}

/**
 * A directory that changes its parent changes its own `..` entry, so the kernel wants it writable by anyone but root.
 * The bits are put back through the open file, under whatever name it has then.
 */
function whileWritable(directory: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    if (osCode(error) !== "EACCES") throw error;
    const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      const mode = fstatSync(fd).mode & 0o7777;
      if (mode & 0o200) throw error;
      fchmodSync(fd, mode | 0o200);
      try {
        action();
      } finally {
        fchmodSync(fd, mode);
      }
    } finally {
      closeSync(fd);
    }
  }
}
