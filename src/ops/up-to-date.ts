/** Whether there is anything to do, answered without parsing a file of the project. Imports next to nothing. */
import { platformName } from "../core/platform.ts";
import { readCurrent } from "../tree/current.ts";
import { missingInstances, readTree } from "../tree/description.ts";
import { hostPaths } from "../tree/layout.ts";
import { readStamp, type Stamp, stampHash } from "../tree/stamp.ts";
import type { Context } from "./context.ts";
import { readText } from "./text.ts";

type Surroundings = Pick<Context, "project" | "dataRoot" | "platform" | "version">;

/**
 * The quick answer to "is there anything to do": the hash of the current tree where the project's files are the very
 * bytes that led to it and all of it is still there; undefined where that takes a closer look.
 */
export function isUpToDate(ctx: Surroundings): { hash: string; roots: number } | undefined {
  const paths = hostPaths(ctx.dataRoot);
  const stamp = readStamp(paths);
  if (stamp === undefined || readCurrent(paths) !== stamp.tree) return undefined;
  const found = stampOf(ctx, readText(ctx.project.allowlist), readText(ctx.project.lockfile), stamp.tree);
  if (found.allowlist !== stamp.allowlist || found.lockfile !== stamp.lockfile || found.settings !== stamp.settings)
    return undefined;
  const tree = readTree(paths, stamp.tree);
  if (tree === undefined || missingInstances(paths, tree.instances).length > 0) return undefined;
  return { hash: stamp.tree, roots: tree.roots.length };
}

/** The stamp of these bytes on this host. */
export function stampOf(
  ctx: Surroundings,
  allowlist: string | undefined,
  lockfile: string | undefined,
  tree: string,
): Stamp {
  return {
    allowlist: stampHash(allowlist ?? ""),
    lockfile: stampHash(lockfile ?? ""),
    settings: stampHash([ctx.version, platformName(ctx.platform), ctx.project.directory].join("\n")),
    tree,
  };
}
