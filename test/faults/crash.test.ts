/**
 * kill -9 before every system call that touches names or data: what is left is complete, old or new, and the same
 * command gets there from it. A few of the points in every run of the tests, all of them with CSP_TEST_LONG=1.
 */
import { testNeeding } from "../support/needs.ts";
import { isSync } from "../support/strace.ts";
import { expectSound, limit, long, onAllStages, sample } from "./plan.ts";
import { sweepCrashes } from "./sweep.ts";

testNeeding(
  ["linux", "strace"],
  "killed before a system call",
  async () => {
    const tally = await onAllStages({ loop: false }, (stage) => {
      // After a sync the same is there as before it, unless the power goes.
      const calls = stage.calls.filter((_, i) => !stage.calls.slice(Math.max(0, i - 1), i).some(isSync));
      return sweepCrashes(stage, long ? calls : sample(calls, 3));
    });
    expectSound("killed", tally);
  },
  limit,
);
