/**
 * Private directories for work in progress. Each holds a `.lock` that its owner has locked for as long as it lives, so
 * that what a crash left can be told from what a living process, even a stopped one, still needs.
 */
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmdirSync,
  unlinkSync,
} from "node:fs";
import { join } from "node:path";
import { isFileAt, lockOpenFile } from "./lock.ts";
import { describeOsError, guarded, osCode } from "./os-error.ts";
import { type Removal, removeTree } from "./remove.ts";
import { createUnique } from "./unique-name.ts";

const lockName = ".lock";

/** A directory of this process. */
export interface Scratch {
  /** `<parent>/<prefix>-<pid>-<n>`, mode 0700, empty but for `.lock`. */
  readonly path: string;
  /** The open lock file; a child that inherits it keeps the directory from being taken for stale. */
  readonly fd: number;
  /** Removes the directory with all in it. Calling it again does nothing. */
  remove(): void;
}

/** Creates a scratch directory in an existing directory. */
export function createScratch(parent: string, prefix: string): Scratch {
  return guarded(() => {
    for (;;) {
      const path = createUnique(parent, prefix, (name) => {
        mkdirSync(name, 0o700);
        return name;
      });
      const fd = own(path);
      if (fd !== undefined) return scratch(path, fd);
    }
  }, parent);
}

/**
 * Removes what owners that are gone left in this directory, and nothing else: what `createScratch` did not make stays.
 * A missing directory holds nothing stale. One failure does not keep the rest from being removed; it is thrown last.
 */
export function removeStaleScratch(parent: string): Removal {
  const total: Removal = { files: 0, directories: 0, bytes: 0 };
  const failures: unknown[] = [];
  for (const name of guarded(() => namesIn(parent), parent)) {
    if (!/-\d+-\d+$/.test(name)) continue;
    try {
      const path = join(parent, name);
      const fd = claim(path);
      if (fd !== undefined) add(total, discard(path, fd));
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return total;
}

/** Who owns what stands in a place for scratch directories: a living process, a dead one, or nobody that can be told. */
export type ScratchOwner = "living" | "gone" | "unknown";

/** Looks at one entry of a place for scratch directories, and changes nothing. */
export function scratchOwner(path: string): ScratchOwner {
  try {
    const file = join(path, lockName);
    const fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      return lockOpenFile(fd, file, "exclusive") ? "gone" : "living";
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "EACCES", "ELOOP"].includes(osCode(error) ?? "")) return "unknown";
    throw describeOsError(error, path) ?? error;
  }
}

/** Removes one scratch directory whose owner is gone; false where it has an owner again or is no scratch directory. */
export function removeIfStale(path: string): boolean {
  const fd = guarded(() => claim(path), path);
  if (fd === undefined) return false;
  discard(path, fd);
  return true;
}

/**
 * The owner's lock; undefined if a janitor came between two of these calls and took the new directory for stale.
 * Only the owner ever creates the lock file, once, so a janitor that has it locked has the directory for good.
 */
function own(path: string): number | undefined {
  const file = join(path, lockName);
  let created = false;
  try {
    chmodSync(path, 0o700);
    const fd = openSync(file, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
    created = true;
    fchmodSync(fd, 0o600);
    return lockOrClose(fd, file);
  } catch (error) {
    if (osCode(error) === "ENOENT") return undefined;
    if (created) unlinkSync(file);
    removeIfEmpty(path);
    throw error;
  }
}

/** The lock of a directory whose owner is gone; undefined where there is an owner or no scratch directory. */
function claim(path: string): number | undefined {
  const file = join(path, lockName);
  try {
    return lockOrClose(openSync(file, constants.O_RDWR | constants.O_NOFOLLOW), file);
  } catch (error) {
    if (osCode(error) === "ENOENT") removeIfEmpty(path);
    else if (!["ENOTDIR", "EACCES", "ELOOP", "EISDIR"].includes(osCode(error) ?? "")) throw error;
    return undefined;
  }
}

function lockOrClose(fd: number, file: string): number | undefined {
  let held = false;
  try {
    held = lockOpenFile(fd, file, "exclusive") && isFileAt(fd, file);
    return held ? fd : undefined;
  } finally {
    if (!held) closeSync(fd);
  }
}

/** The lock file goes last: until then nobody else can claim the directory, and without it only an empty one is left. */
function discard(path: string, fd: number): Removal {
  const total: Removal = { files: 0, directories: 0, bytes: 0 };
  try {
    chmodSync(path, 0o700);
    for (const name of namesIn(path)) if (name !== lockName) add(total, removeTree(join(path, name)));
    unlinkSync(join(path, lockName));
    removeIfEmpty(path);
    add(total, { files: 1, directories: 1, bytes: 0 });
  } catch (error) {
    // Gone already: somebody took away the parent.
    if (osCode(error) !== "ENOENT") throw describeOsError(error, path) ?? error;
  } finally {
    closeSync(fd);
  }
  return total;
}

function scratch(path: string, fd: number): Scratch {
  let removed = false;
  return {
    path,
    fd,
    remove() {
      if (removed) return;
      removed = true;
      discard(path, fd);
    },
  };
}

/** Without a lock file: an owner or a janitor ended between its first or last two steps, or is just there. */
function removeIfEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    if (!["ENOENT", "ENOTDIR", "ENOTEMPTY", "EACCES", "EPERM"].includes(osCode(error) ?? "")) throw error;
  }
}

function add(total: Removal, removal: Removal): void {
  total.files += removal.files;
  total.directories += removal.directories;
  total.bytes += removal.bytes;
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    if (osCode(error) === "ENOENT") return [];
    throw error;
  }
}
