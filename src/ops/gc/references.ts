/** Which blobs the trees of a host refer to. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isCspError } from "../../core/errors.ts";
import type { Digest } from "../../core/integrity.ts";
import { parseLockfile } from "../../core/lockfile.ts";
import { guarded, quotedPath } from "../../fs/os-error.ts";
import type { TreeDescription } from "../../tree/description.ts";
import type { Instances } from "../../tree/inventory.ts";
import { type HostPaths, treePath } from "../../tree/layout.ts";
import { unsure } from "./roots.ts";

/** Digests of what some trees need. */
export type References = (trees: readonly TreeDescription[]) => ReadonlySet<Digest>;

/**
 * Answers from the descriptions of instances. A tree that lacks an instance refers to all blobs of its
 * lockfile: they are what it can be repaired from. Throws CSP_GC_UNSURE where that cannot be read either.
 */
export function createReferences(paths: HostPaths, instances: Instances): References {
  const add = (tree: TreeDescription, found: Set<Digest>): void => {
    for (const id of tree.instances) {
      const digest = instances.digest(id);
      if (digest === undefined) {
        for (const locked of lockedDigests(paths, tree)) found.add(locked);
        return;
      }
      found.add(digest);
    }
  };
  return (trees) => {
    const found = new Set<Digest>();
    for (const tree of trees) add(tree, found);
    return found;
  };
}

function lockedDigests(paths: HostPaths, { hash }: TreeDescription): Digest[] {
  const path = join(treePath(paths, hash), "script-packages.lock");
  try {
    const lockfile = parseLockfile(
      guarded(() => readFileSync(path, "utf8"), path),
      "script-packages.lock",
    );
    return [...lockfile.packages.values()].flatMap(({ integrity }) =>
      integrity.kind === "strong" ? [integrity.digest] : [],
    );
  } catch (error) {
    if (!isCspError(error)) throw error;
    const hint = `run \`csp verify --repair\`, or remove ${quotedPath(treePath(paths, hash))} if nothing needs it`;
    throw unsure(`tree \`${hash.slice(0, 12)}\` lacks packages, and its lockfile cannot be read`, hint, error);
  }
}
