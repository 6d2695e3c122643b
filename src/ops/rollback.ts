/** Going back to an earlier tree, offline: nothing is built, and one rename is all that changes. */
import { CspError } from "../core/errors.ts";
import { earlierTrees } from "../core/journal-story.ts";
import type { LockfileHash } from "../core/lockfile-hash.ts";
import { readJournal } from "../tree/journal.ts";
import { type HostPaths, hostPaths } from "../tree/layout.ts";
import { findTree, requireComplete, requireCurrentHash } from "./find-tree.ts";
import { moveCurrent, onSteadyHost, type SwitchContext } from "./switch.ts";

/** Where to: a tree by the beginning of its hash, or a number of steps back; one step if neither is said. */
export interface RollbackChoice {
  prefix?: string | undefined;
  steps?: number | undefined;
}

/** A change of `current`, done or only planned. */
export interface Move {
  from: LockfileHash | null;
  to: LockfileHash;
  /** False where that tree was current already. */
  switched: boolean;
  /** The hash that automatic syncs leave alone from now on. */
  held: LockfileHash | null;
}

/**
 * Where a rollback leads. Throws CSP_NOT_INSTALLED, CSP_NO_EARLIER_TREE, CSP_TREE_INCOMPLETE, and what `findTree`
 * throws.
 */
export function planRollback(ctx: Pick<SwitchContext, "dataRoot">, choice: RollbackChoice): Move {
  return plan(hostPaths(ctx.dataRoot), choice);
}

/** Goes back, and holds what was left. The plan is made anew under the locks. */
export async function applyRollback(
  ctx: SwitchContext,
  choice: RollbackChoice,
  reason: string | undefined,
): Promise<Move> {
  requireCurrentHash(hostPaths(ctx.dataRoot));
  return onSteadyHost(ctx, (paths) => {
    const move = plan(paths, choice);
    if (move.held !== null) moveCurrent(ctx, paths, move.to, { reason, kind: "rollback", holds: move.held });
    return move;
  });
}

function plan(paths: HostPaths, choice: RollbackChoice): Move {
  const from = requireCurrentHash(paths);
  const to = choice.prefix === undefined ? stepsBack(paths, from, choice.steps ?? 1) : findTree(paths, choice.prefix);
  requireComplete(paths, to);
  return { from, to, switched: to !== from, held: to === from ? null : from };
}

function stepsBack(paths: HostPaths, current: LockfileHash, steps: number): LockfileHash {
  const earlier = earlierTrees(readJournal(paths).entries, current);
  const hash = earlier[steps - 1];
  if (hash !== undefined) return hash;
  const count = earlier.length === 1 ? "one tree" : `${earlier.length} trees`;
  throw new CspError("CSP_NO_EARLIER_TREE", {
    message: earlier.length === 0 ? "there is no earlier tree to go back to" : `the journal goes back only ${count}`,
    details: earlier.map((each) => each.slice(0, 12)),
    hint: "see `csp history`; `csp use <hash>` switches to any tree on this host",
    data: { earlier },
  });
}
