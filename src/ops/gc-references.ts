/** Which blobs the trees of a host refer to. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isCspError } from "../core/errors.ts";
import type { Digest } from "../core/integrity.ts";
import { parseLockfile } from "../core/lockfile.ts";
import { guarded, quotedPath } from "../fs/os-error.ts";
import type { TreeDescription } from "../tree/description.ts";
import { readInstance } from "../tree/instance.ts";
import { type HostPaths, instancePath, treePath } from "../tree/layout.ts";
import { unsure } from "./gc-roots.ts";

/** Digests of what a tree needs. */
export type References = (tree: TreeDescription) => Iterable<Digest>;

/**
 * Looks each instance up once, whatever number of trees has it. A tree that lacks an instance refers to all blobs of its
 * lockfile: they are what it can be repaired from. Throws CSP_GC_UNSURE where that cannot be read either.
 */
export function createReferences(paths: HostPaths): References {
  const digests = new Map<string, Digest | undefined>();
  return (tree) => {
    const found: Digest[] = [];
    for (const id of tree.instances) {
      if (!digests.has(id)) digests.set(id, readInstance(instancePath(paths, id))?.digest);
      const digest = digests.get(id);
      if (digest === undefined) return lockedDigests(paths, tree);
      found.push(digest);
    }
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
