/** Holds: hashes that a rollback left, which automatic syncs leave alone until another one appears or `csp resume`. */
import { type Hold, heldTrees } from "../core/journal-story.ts";
import type { LockfileHash } from "../core/lockfile-hash.ts";
import { readCurrent } from "../tree/current.ts";
import { appendJournal, readJournal } from "../tree/journal.ts";
import { type HostPaths, hostPaths } from "../tree/layout.ts";
import { entryOf, onSteadyHost, type SwitchContext } from "./switch.ts";

/** What this host holds, oldest first. The current tree is not held: a rollback that a crash cut short left it. */
export function readHolds(paths: HostPaths): Hold[] {
  const current = readCurrent(paths);
  return heldTrees(readJournal(paths).entries).filter((hold) => hold.hash !== current);
}

/** The hold on a hash, for whoever is about to switch to it. */
export function holdOn(ctx: Pick<SwitchContext, "dataRoot">, hash: LockfileHash): Hold | undefined {
  return readHolds(hostPaths(ctx.dataRoot)).find((hold) => hold.hash === hash);
}

/** The hold in words: `held since … by …: reason`. */
export function describeHold({ since, by, reason }: Hold): string {
  return `held since ${since} by ${by}${reason === null ? "" : `: ${reason}`}`;
}

/** Ends all holds and says which; a host that holds nothing stays as it is. */
export async function applyResume(ctx: SwitchContext, reason: string | undefined): Promise<Hold[]> {
  if (readHolds(hostPaths(ctx.dataRoot)).length === 0) return [];
  return onSteadyHost(ctx, (paths) => {
    const holds = readHolds(paths);
    const at = readCurrent(paths) ?? holds[0]?.hash;
    if (holds.length > 0 && at !== undefined) appendJournal(paths, entryOf(ctx, at, at, { reason, kind: "resume" }));
    return holds;
  });
}
