/** Which of all points a run of the tests takes, and how it says so. */
import { createRandom } from "../support/random.ts";
import type { Call } from "../support/strace.ts";
import { type Scenario, scenarios } from "./scenarios.ts";
import { type Stage, setStage, type Tally } from "./sweep.ts";

/** Everything is swept where this is set; it takes some minutes. */
export const long = process.env.CSP_TEST_LONG === "1";
/** Of the random choice of points; printed with what was swept. */
export const seed = Number(process.env.CSP_TEST_SEED ?? "1");
/** Milliseconds a sweep may take on a machine that has much else to do. */
export const limit = long ? 900_000 : 120_000;

export const emptyTally: Tally = { points: 0, missed: [], violations: [] };

/** Both together. */
export function merge(one: Tally = emptyTally, other: Tally): Tally {
  return {
    points: one.points + other.points,
    missed: [...one.missed, ...other.missed],
    violations: [...one.violations, ...other.violations],
  };
}

/** Runs on two hosts at once, one scenario after the other, and gives what all came to. */
export async function onAllStages(
  how: { loop: boolean },
  sweep: (stage: Stage) => Promise<Tally>,
  chosen: readonly Scenario[] = scenarios,
): Promise<Tally> {
  const left = [...chosen];
  let total = emptyTally;
  const lane = async (): Promise<void> => {
    for (let scenario = left.shift(); scenario !== undefined; scenario = left.shift()) {
      const stage = await setStage(scenario, how);
      try {
        const tally = await sweep(stage);
        if (long) report(`  ${scenario.name}`, tally);
        total = merge(total, tally);
      } finally {
        await stage.host.remove();
      }
    }
  };
  const lanes = await Promise.allSettled([lane(), lane()]);
  for (const each of lanes) if (each.status === "rejected") throw each.reason;
  return total;
}

/** The calls at which most can go wrong: those that make something visible, durable or known. */
const turning =
  /^(?:syncfs|renameat2|fsync.*(?:trees|journal)|rename.*"\/\.data\/script-packages\/(?:current|cache)|write.*journal)/;

/** Some of the calls: one in `share`, but at least `least`, half of them where something turns. */
export function sample(calls: readonly Call[], least: number, share = Number.POSITIVE_INFINITY): Call[] {
  const count = Math.min(calls.length, Math.max(least, Math.round(calls.length / share)));
  const random = createRandom(seed);
  const shuffled = calls.map((call) => ({ call, order: random.below(2 ** 31) })).sort((a, b) => a.order - b.order);
  const first = shuffled.filter(({ call }) => turning.test(call.text)).slice(0, count >> 1);
  const rest = shuffled.filter((each) => !first.includes(each)).slice(0, count - first.length);
  const chosen = new Set([...first, ...rest].map(({ call }) => call));
  return calls.filter((call) => chosen.has(call));
}

/** One line for whoever reads the output. */
export function report(name: string, { points, missed, violations }: Tally): void {
  const notes = [`${missed.length} not reached`, `${violations.length} violations`, `seed ${seed}`];
  console.log(`${name}: ${points} points, ${notes.join(", ")}`);
}

/** Throws where something is wrong, or where too many points were not reached for the rest to mean much. */
export function expectSound(name: string, tally: Tally): void {
  report(name, tally);
  if (tally.violations.length > 0) throw new Error(`${name}:\n${tally.violations.join("\n")}`);
  if (tally.points === 0 || tally.missed.length > tally.points / 10) {
    throw new Error(`${name}: ${tally.missed.length} of ${tally.points} not reached:\n${tally.missed.join("\n")}`);
  }
}
