/** Switching to any tree that is on this host. */
import { readCurrent } from "../tree/current.ts";
import { hostPaths } from "../tree/layout.ts";
import { findTree, requireComplete } from "./find-tree.ts";
import type { Move } from "./rollback.ts";
import { moveCurrent, onSteadyHost, type SwitchContext } from "./switch.ts";

/**
 * What `csp use` would do, also on a host that lost its `current`. Throws CSP_TREE_INCOMPLETE and what `findTree` throws.
 */
export function planUse(ctx: Pick<SwitchContext, "dataRoot">, prefix: string): Move {
  const paths = hostPaths(ctx.dataRoot);
  const from = readCurrent(paths) ?? null;
  const to = findTree(paths, prefix);
  requireComplete(paths, to);
  return { from, to, switched: to !== from, held: null };
}

/** Switches; holds nothing, and ends a hold of where it goes. The plan is made anew under the locks. */
export async function applyUse(ctx: SwitchContext, prefix: string, reason: string | undefined): Promise<Move> {
  findTree(hostPaths(ctx.dataRoot), prefix);
  return onSteadyHost(ctx, (paths) => {
    const move = planUse(ctx, prefix);
    if (move.switched) moveCurrent(ctx, paths, move.to, { reason, kind: "use" });
    return move;
  });
}
