/** Going to a tree that is known from before: one switch, and a few links where the tree itself is gone. */
import { diffRoots, type RootChange } from "../core/root-changes.ts";
import { syncTree } from "../fs/durable.ts";
import { createScratch } from "../fs/scratch.ts";
import { hasWholeTree } from "../tree/current.ts";
import { readTree, type TreeDescription } from "../tree/description.ts";
import { hostPaths } from "../tree/layout.ts";
import { createStaging, publishStaged } from "../tree/staging.ts";
import { stageDescribed } from "../tree/tree.ts";
import { type SwitchContext, switchTo } from "./switch.ts";
import { findKnownTree, type KnownTree, type Surroundings } from "./up-to-date.ts";

/**
 * Makes a known tree current; the caller holds the install lock. Undefined where it is not known any more, or where only
 * a closer look can bring it back: hoisted trees hold files of their own.
 */
export async function returnToKnownTree(
  ctx: SwitchContext & Surroundings,
  reason: string | undefined,
): Promise<(KnownTree & { changes: RootChange[] }) | undefined> {
  const known = findKnownTree(ctx);
  if (known === undefined) return undefined;
  const { description, lockfile } = known;
  const paths = hostPaths(ctx.dataRoot);
  if (!hasWholeTree(paths, description)) {
    if (description.linker !== "isolated") return undefined;
    rebuild(paths.tmp, description, new TextDecoder().decode(lockfile), ctx);
  }
  const before = known.from === undefined ? undefined : readTree(paths, known.from);
  await switchTo(ctx, description.hash, reason);
  return { ...known, changes: diffRoots(before?.roots, description.roots) };
}

function rebuild(tmp: string, description: TreeDescription, lockfileText: string, ctx: SwitchContext): void {
  const scratch = createScratch(tmp, "install");
  try {
    const staging = createStaging(scratch.path);
    stageDescribed(description, lockfileText, staging.tree);
    syncTree(staging.tree);
    publishStaged(hostPaths(ctx.dataRoot), staging, description.hash);
  } finally {
    scratch.remove();
  }
}
