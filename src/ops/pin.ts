/** Pinning trees: what is pinned is never collected. */
import type { LockfileHash } from "../core/lockfile-hash.ts";
import { oneLine } from "../core/quote.ts";
import { listTrees } from "../tree/description.ts";
import { hostPaths } from "../tree/layout.ts";
import { type Pin, pinnedHashes, removePin, writePin } from "../tree/pins.ts";
import { findHash, findTree } from "./find-tree.ts";
import { onSteadyHost, type SwitchContext } from "./switch.ts";

/** The pin that a tree of this host would get. Throws what `findTree` throws. */
export function planPin(ctx: SwitchContext, prefix: string, reason: string | undefined): Pin {
  const hash = findTree(hostPaths(ctx.dataRoot), prefix);
  return {
    hash,
    at: new Date(ctx.now()).toISOString(),
    by: ctx.who,
    reason: reason === undefined ? null : oneLine(reason),
  };
}

/** Pins a tree, or gives its pin a new reason. */
export async function applyPin(ctx: SwitchContext, prefix: string, reason: string | undefined): Promise<Pin> {
  planPin(ctx, prefix, reason);
  return onSteadyHost(ctx, (paths) => {
    const pin = planPin(ctx, prefix, reason);
    writePin(paths, pin);
    return pin;
  });
}

/** What `csp unpin` would change; a tree without a pin is fine. Throws what `findHash` throws. */
export function planUnpin(ctx: SwitchContext, prefix: string): { hash: LockfileHash; pinned: boolean } {
  const paths = hostPaths(ctx.dataRoot);
  const pinned = pinnedHashes(paths);
  const hash = findHash([...new Set([...pinned, ...listTrees(paths)])].sort(), prefix, "tree or pin");
  return { hash, pinned: pinned.includes(hash) };
}

/** Takes a pin away. */
export async function applyUnpin(ctx: SwitchContext, prefix: string): Promise<{ hash: LockfileHash; pinned: boolean }> {
  planUnpin(ctx, prefix);
  return onSteadyHost(ctx, (paths) => {
    const { hash } = planUnpin(ctx, prefix);
    return { hash, pinned: removePin(paths, hash) };
  });
}
