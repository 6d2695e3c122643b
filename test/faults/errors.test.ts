/**
 * EIO, ENOSPC and EDQUOT at every system call that changes names or data: the command says what failed, has changed
 * nothing or everything, and succeeds the next time. A few of the points in every run of the tests, all of them with
 * CSP_TEST_LONG=1.
 */
import { testNeeding } from "../support/needs.ts";
import type { Call } from "../support/strace.ts";
import { expectSound, limit, long, onAllStages, sample } from "./plan.ts";
import { type Stage, sweepErrors } from "./sweep.ts";

/** Failures that a command may survive, each with the reason. */
const harmless: readonly { call: RegExp; why: string }[] = [
  {
    call: /^(?:pwrite64|ftruncate)\(.*\/(?:locks|leases)\//,
    why: "who holds a lock is only written down for messages",
  },
  { call: /^\w+\(.*\/(?:stamps|\.stamp-#)/, why: "a stamp only saves work" },
];

function isHarmless({ scenario }: Stage, { text }: Call, error: string): boolean {
  // What is answered without the program and finds no space is tried once more by the program.
  return (scenario.quick === true && error !== "EIO") || harmless.some(({ call }) => call.test(text));
}

/** No space, by calls that need some. */
const noSpace = /^(?:write|pwrite64|rename|renameat2|mkdir|link|symlink|openat)$/;

/** Which errors the call at this place gets: all of them would take too long, so they take turns. */
function errorsOf({ name }: Call, place: number): string[] {
  if (!noSpace.test(name)) return ["EIO"];
  const errors = name === "write" ? ["EIO", "ENOSPC", "EDQUOT"] : ["EIO", "ENOSPC"];
  return [errors[place % errors.length] as string];
}

testNeeding(
  ["linux", "strace"],
  "a system call fails",
  async () => {
    const tally = await onAllStages({ loop: false }, (stage) => {
      const calls = long ? stage.calls : sample(stage.calls, 3);
      const faults = calls.flatMap((call, i) => errorsOf(call, i).map((error) => ({ call, error })));
      return sweepErrors(stage, faults, (call, error) => isHarmless(stage, call, error));
    });
    expectSound("errors", tally);
  },
  limit,
);
