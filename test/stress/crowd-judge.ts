/** What became of each run, when its script may go on, and what must not have happened. */
import type { Random } from "../support/random.ts";
import type { CrowdEvents, ScriptEnd } from "./crowd-server.ts";

export interface Verdict {
  /** Scripts that came up, that read all they wanted from one tree, and that did so after their csp was killed. */
  up: number;
  whole: number;
  wholeAlone: number;
  /** Scripts that were killed. */
  scriptsKilled: number;
  /** Reads of another tree, or of nothing. */
  bad: readonly string[];
  /** Everything else that should not be. */
  problems: readonly string[];
}

type Run = {
  csp: "runs" | "ended" | "killed";
  script: "unseen" | "up" | "whole" | "bad" | "killed";
  open: boolean;
  failure?: string | undefined;
};

export function createJudge(random: Random) {
  const runs = new Map<number, Run>();
  const waiting = new Map<number, { script: ScriptEnd; moves: number }>();
  const bad: string[] = [];
  const problems: string[] = [];
  const counts = { up: 0, whole: 0, wholeAlone: 0, scriptsKilled: 0 };
  let releasing = false;
  let noticeGone = (): void => {};

  const runOf = (id: number): Run => {
    const run = runs.get(id) ?? { csp: "runs", script: "unseen", open: false };
    runs.set(id, run);
    return run;
  };
  const release = (id: number): void => {
    waiting.get(id)?.script.go();
    waiting.delete(id);
  };

  const events: Pick<CrowdEvents, "up" | "done" | "bad" | "gone"> = {
    up(script) {
      const run = runOf(script.id);
      Object.assign(run, { script: "up", open: true });
      counts.up += 1;
      if (random.chance(0.03)) {
        run.script = "killed";
        counts.scriptsKilled += 1;
        process.kill(script.pid, "SIGKILL");
        return;
      }
      // Those that have lost their csp wait longer: only their own lease is left to them.
      const moves = random.below(run.csp === "killed" ? 8 : 4);
      waiting.set(script.id, { script, moves });
      if (moves === 0 || releasing) release(script.id);
    },
    done(id, set) {
      const run = runOf(id);
      run.script = "whole";
      counts.whole += 1;
      if (run.csp === "killed") counts.wholeAlone += 1;
      if (!Number.isInteger(set)) problems.push(`run ${id} read set ${set}`);
    },
    bad(id, why) {
      Object.assign(runOf(id), { script: "bad", open: true });
      waiting.delete(id);
      bad.push(`run ${id}: ${why.slice(0, 600)}`);
    },
    gone(id) {
      const run = runOf(id);
      run.open = false;
      waiting.delete(id);
      if (run.script === "up") problems.push(`the script of run ${id} ended without a word`);
      noticeGone();
    },
  };

  return {
    events,
    bad,
    started: (id: number) => void runOf(id),
    /** csp ended by itself. */
    ended(id: number, failure: string | undefined): void {
      const run = runOf(id);
      run.csp = "ended";
      run.failure = failure;
    },
    /** csp was killed; a script that it had started goes on. */
    orphaned(id: number): void {
      runOf(id).csp = "killed";
    },
    problem: (text: string) => void problems.push(text),
    /** Something was switched or collected: scripts that waited for that go on. */
    moved(): void {
      for (const [id, each] of waiting) if (--each.moves <= 0) release(id);
    },
    releaseAll(): void {
      releasing = true;
      for (const id of [...waiting.keys()]) release(id);
    },
    /** Resolves when no script is connected. */
    allGone: () =>
      new Promise<void>((resolve) => {
        noticeGone = () => {
          if (![...runs.values()].some(({ open }) => open)) resolve();
        };
        noticeGone();
      }),
    verdict(): Verdict {
      // Only now: what a script says and that its csp ended come on different ways.
      for (const [id, { csp, script, failure }] of runs) {
        if (csp !== "ended" || script === "killed" || script === "bad") continue;
        if (failure !== undefined) problems.push(`run ${id}: ${failure}`);
        else if (script !== "whole") problems.push(`run ${id} succeeded and its script is ${script}`);
      }
      return { ...counts, bad, problems };
    },
  };
}
