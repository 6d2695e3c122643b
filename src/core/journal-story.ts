/** What follows from the journal: where a rollback leads, what is held, and since when a tree is retired. */
import type { Journal, JournalEntry } from "./journal.ts";
import type { LockfileHash } from "./lockfile-hash.ts";

/** A hash that automatic syncs leave alone. */
export interface Hold {
  hash: LockfileHash;
  /** ISO time, UTC. */
  since: string;
  by: string;
  reason: string | null;
}

/** True for an entry that moved `current`, or was about to when a crash came. */
export function isSwitch(entry: JournalEntry): boolean {
  return entry.kind !== "resume" && entry.kind !== "mended";
}

/**
 * What is held, oldest first. A rollback holds what it left and frees where it went; `use` frees where it went; any other
 * switch, which means that another hash appeared or that a person insisted, and `resume` free everything.
 */
export function heldTrees(entries: readonly JournalEntry[]): Hold[] {
  const held = new Map<LockfileHash, Hold>();
  for (const entry of entries) {
    if (entry.kind === "mended") continue;
    if (entry.kind === "rollback" || entry.kind === "use") held.delete(entry.to);
    else held.clear();
    const { holds, at, by, reason } = entry;
    if (holds !== undefined) held.set(holds, { hash: holds, since: at, by, reason });
  }
  return [...held.values()];
}

/**
 * The trees before the current one, nearest first, each once; a rollback takes back the switches between. Held ones are
 * left out: nobody goes back to what was just left.
 */
export function earlierTrees(entries: readonly JournalEntry[], current: LockfileHash | undefined): LockfileHash[] {
  const switches = entries.filter(isSwitch);
  const last = switches.at(-1);
  // A crash between the journal and the rename: the last switch did not happen.
  if (last !== undefined && last.to !== current && last.from === current) switches.pop();
  const path: LockfileHash[] = [];
  for (const entry of switches) {
    if (entry.from !== null && path.at(-1) !== entry.from) path.push(entry.from);
    if (entry.kind === "rollback") {
      const back = path.lastIndexOf(entry.to);
      path.length = back >= 0 ? back : Math.max(0, path.length - 1);
    }
    path.push(entry.to);
  }
  const held = new Set(heldTrees(entries).map((hold) => hold.hash));
  const others = path.reverse().filter((hash) => hash !== current && !held.has(hash));
  return [...new Set(others)];
}

/**
 * Since when each tree but the current one is retired, in milliseconds since 1970: never earlier than the truth as the
 * journal's clock had it. A tree of which that cannot be said is left out.
 */
export function retirements(journal: Journal, current: LockfileHash | undefined): Map<LockfileHash, number> {
  const switches = journal.entries.filter(isSwitch);
  const mended = journal.entries.findLast((entry) => entry.kind === "mended");
  const times = new Map<LockfileHash, number>();
  for (const [i, entry] of switches.entries()) {
    const { from, to } = entry;
    // What it left is retired from then on; the `to` of a switch that never happened, from the next one on.
    const next = switches[i + 1];
    if (next !== undefined) times.set(to, Date.parse(next.at));
    else if (from === current) times.set(to, Date.parse(entry.at));
    else times.delete(to);
    if (from !== null && from !== to) times.set(from, Date.parse(entry.at));
  }
  if (mended !== undefined) {
    const floor = Date.parse(mended.at);
    const known = new Set(switches.filter((each) => each.seq > mended.seq).flatMap((each) => [each.from, each.to]));
    for (const [hash, time] of times) if (!known.has(hash)) times.set(hash, Math.max(time, floor));
  }
  if (current !== undefined) times.delete(current);
  return times;
}
