/**
 * The same with the power cut, on a file system in a file: what was not synced is gone, and what a command that ended
 * well has promised is there. The same sweep finds violations where nothing is synced, or it could not find any.
 */
import type { CutMode } from "../support/loop-disk.ts";
import { testNeeding } from "../support/needs.ts";
import type { Call } from "../support/strace.ts";
import { emptyTally, expectSound, limit, long, merge, onAllStages, report, sample } from "./plan.ts";
import { scenarios } from "./scenarios.ts";
import { judgeFinished, type Stage, sweepCrashes, sweepWithoutSyncs, type Tally } from "./sweep.ts";

const needs = ["linux", "strace", "loop"] as const;

/** Mode 1 loses most: names without what is in the files. */
function callsFor({ calls }: Stage, mode: CutMode): readonly Call[] {
  if (!long) return mode === 1 ? sample(calls, 2) : [];
  return mode === 1 ? calls : sample(calls, 8, 10);
}

testNeeding(
  needs,
  "the power is cut before a system call, and after the last",
  async () => {
    const tallies = new Map<string, Tally>();
    const add = (name: string, tally: Tally) => tallies.set(name, merge(tallies.get(name), tally));
    await onAllStages({ loop: true }, async (stage) => {
      for (const mode of [0, 1, 2] as const) {
        const cut = await sweepCrashes(stage, callsFor(stage, mode), mode);
        add(`power cut in mode ${mode}`, cut);
        if (mode === 0) continue;
        const violations = await judgeFinished(stage, mode);
        add("power cut after the end", { points: 1, missed: [], violations });
      }
      return emptyTally;
    });
    for (const [name, tally] of tallies) if (tally.points > 0) expectSound(name, tally);
  },
  limit,
);

testNeeding(
  needs,
  "where nothing is synced, a power cut is found to do harm",
  async () => {
    const tally = await onAllStages(
      { loop: true },
      (stage) => sweepWithoutSyncs(stage, sample(stage.calls, 8), 1),
      long ? scenarios : scenarios.slice(0, 1),
    );
    report("power cut without syncs", tally);
    if (tally.violations.length === 0)
      throw new Error("nothing was found, so what the other sweep finds means nothing");
  },
  limit,
);
