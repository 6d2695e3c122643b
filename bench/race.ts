/** Commands that take turns, where what is measured is not an installation of a driver. */
import { type Bench, takeTurns } from "./bench.ts";
import { flush, measure, timedSync } from "./measure.ts";
import type { ScenarioResult } from "./results.ts";
import type { Command, Shot } from "./shot.ts";

/** One line of a table: a command, with what has to be so before each run. */
export interface Contestant {
  name: string;
  /** Once. */
  prepare?(): Promise<unknown>;
  /** What is measured in a round; whatever has to be so before is made so here. */
  ready(round: number): Promise<Command>;
  /** Further samples of a run; also the place to look whether it did what it should. */
  after?(shot: Shot): Promise<Record<string, number>> | Record<string, number>;
}

/** Lets contestants take turns. `synced` adds the time with a sync of the file system behind the command. */
export function race(
  bench: Bench,
  rounds: number,
  contestants: readonly Contestant[],
  { synced = false, peak = false } = {},
): Promise<ScenarioResult> {
  return takeTurns(
    { ...bench, drivers: contestants },
    rounds,
    async (contestant) => contestant.prepare?.(),
    async (contestant, round) => {
      const command = await contestant.ready(round);
      flush();
      const shot = measure(command);
      return {
        ms: shot.ms,
        ...(synced ? { syncedMs: shot.ms + timedSync(bench.work) } : {}),
        ...(peak ? { peakBytes: shot.peakBytes } : {}),
        ...(await contestant.after?.(shot)),
      };
    },
  );
}
