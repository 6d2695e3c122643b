/** The tree that is current, for those who need it to be there. */
import { join } from "node:path";
import { CspError } from "../core/errors.ts";
import type { LockfileHash } from "../core/lockfile-hash.ts";
import { readCurrent } from "../tree/current.ts";
import { readTree, type TreeDescription } from "../tree/description.ts";
import { hostPaths, treePath } from "../tree/layout.ts";
import type { Context } from "./context.ts";

/** The first characters of a hash, as people are shown it. */
export function short(hash: string): string {
  return hash.slice(0, 12);
}

/** The tree that is current, whole. Throws CSP_NOT_INSTALLED or CSP_NOT_READY. */
export function requireCurrent(ctx: Pick<Context, "dataRoot">): {
  hash: LockfileHash;
  tree: TreeDescription;
  folder: string;
  modules: string;
} {
  const paths = hostPaths(ctx.dataRoot);
  const hash = readCurrent(paths);
  if (hash === undefined) {
    throw new CspError("CSP_NOT_INSTALLED", {
      message: "this host has no current tree",
      details: [ctx.dataRoot],
      hint: "run `csp install`",
    });
  }
  const tree = readTree(paths, hash);
  if (tree === undefined) {
    throw new CspError("CSP_NOT_READY", {
      message: `the current tree ${short(hash)} is not there`,
      details: [treePath(paths, hash)],
      hint: "run `csp install` to build it again",
    });
  }
  const folder = treePath(paths, hash);
  return { hash, tree, folder, modules: join(folder, "node_modules") };
}
