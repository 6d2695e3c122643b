/** Where what is collected goes first: out of the names that mean something, into `tmp`, in one rename each. */
import { lstatSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { guarded, osCode } from "../../fs/os-error.ts";
import { moveDirectory } from "../../fs/publish.ts";
import { removeMeasured } from "../../fs/remove.ts";
import { createScratch, type Scratch } from "../../fs/scratch.ts";
import { createUnique } from "../../fs/unique-name.ts";
import type { HostPaths } from "../../tree/layout.ts";

/** Something that was moved away and is still to be removed. */
export interface Discarded {
  path: string;
  /** What it was, for messages. */
  name: string;
}

export interface Trash {
  /** Takes a file, link or directory out of its place. Gone already is fine. */
  take(path: string, name: string): void;
  /** What was taken and is still there, in the order it came. */
  readonly discarded: readonly Discarded[];
  /** Removes the trash itself, once it is empty. */
  close(): void;
}

/**
 * A trash in a scratch directory, which others leave alone while this process lives; undefined where the disk is too
 * full even for that.
 */
export function openTrash(paths: HostPaths): Trash | undefined {
  let scratch: Scratch;
  try {
    guarded(() => mkdirSync(paths.tmp, { recursive: true, mode: 0o755 }), paths.tmp);
    scratch = createScratch(paths.tmp, "gc");
  } catch (error) {
    if (osCode(error) === "ENOSPC" || osCode(error) === "EDQUOT") return undefined;
    throw error;
  }
  const discarded: Discarded[] = [];
  return {
    discarded,
    take(path, name) {
      const to = join(scratch.path, String(discarded.length));
      if (move(path, () => moveDirectory(path, to))) discarded.push({ path: to, name });
    },
    close: () => scratch.remove(),
  };
}

/**
 * For a full disk: what is taken is removed at once, so that there is room again. Only for the holder of the gc lock,
 * which makes it the only one that uses names in `tmp` without a lock of their own.
 */
export function trashAtOnce(paths: HostPaths): Trash {
  return {
    discarded: [],
    take(path) {
      const rename = (to: string): string => {
        moveDirectory(path, to);
        return to;
      };
      let moved: string | undefined;
      if (
        move(path, () => {
          moved = createUnique(paths.tmp, "collected", rename);
        })
      )
        removeMeasured(moved as string);
    },
    close: () => {},
  };
}

/** False where there was nothing to move. */
function move(path: string, rename: () => void): boolean {
  try {
    rename();
    return true;
  } catch (error) {
    if (osCode(error) === "ENOENT" && lstatSync(path, { throwIfNoEntry: false }) === undefined) return false;
    throw error;
  }
}
