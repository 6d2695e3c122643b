/** What is known of a tree that is there: its description, and whether its packages are there, too. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { CspError } from "../core/errors.ts";
import type { Linker } from "../core/lockfile.ts";
import { isLockfileHash, type LockfileHash } from "../core/lockfile-hash.ts";
import type { Platform } from "../core/platform.ts";
import type { BinPlan, LinkPlan, RootPlan, SkippedPackage } from "../core/tree-plan.ts";
import { guarded } from "../fs/os-error.ts";
import { type HostPaths, treePath } from "./layout.ts";

/** Format of `tree.json`. */
export const descriptionFormat = 1;

/** What `tree.json` says; enough to answer for the tree without its lockfile. */
export interface TreeDescription {
  format: number;
  hash: LockfileHash;
  linker: Linker;
  platform: Platform;
  roots: readonly RootPlan[];
  instances: readonly string[];
  links: readonly LinkPlan[];
  bins: readonly BinPlan[];
  skipped: readonly SkippedPackage[];
  /** Bytes of all blobs together, where they are known. */
  blobBytes: number;
  /** Of the tree's copy of the lockfile. */
  lockfileSha256: string;
}

/** Reads a tree's description; undefined where the tree is not there. Throws CSP_NOT_READY where it cannot be read. */
export function readTree(paths: HostPaths, hash: LockfileHash): TreeDescription | undefined {
  const path = join(treePath(paths, hash), "tree.json");
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const description = JSON.parse(text) as TreeDescription;
    if (description.format === descriptionFormat && description.hash === hash) return description;
  } catch {
    // said below
  }
  throw new CspError("CSP_NOT_READY", {
    message: `the description of tree ${hash.slice(0, 12)} cannot be read`,
    details: [path],
    hint: "run `csp verify --repair`, or update csp",
  });
}

/** Hashes of all trees that are here, in byte order; whether they can be read is not looked at. */
export function listTrees(paths: HostPaths): LockfileHash[] {
  return namesIn(paths.trees).filter(isLockfileHash).sort();
}

/** Instances that are not there, in the order given. A name means complete: renames are the only way in. */
export function missingInstances(paths: HostPaths, ids: readonly string[]): string[] {
  const present = new Set(namesIn(paths.packages));
  return ids.filter((id) => !present.has(id));
}

function namesIn(directory: string): string[] {
  return guarded(() => {
    try {
      return readdirSync(directory);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      return [];
    }
  }, directory);
}
