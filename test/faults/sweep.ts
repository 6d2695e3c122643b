/** Stopping a command at each of its system calls, and judging what is left. */
import { existsSync } from "node:fs";
import { blobPath } from "../../src/tree/layout.ts";
import { pictureOf, type Span, wrongAtTheEnd, wrongOnTheWay } from "../support/host-check.ts";
import type { CutMode } from "../support/loop-disk.ts";
import { type Call, isSync, runTo, runToWithoutSyncs, type Traced, traceCalls } from "../support/strace.ts";
import { createHost, type Host } from "./host.ts";
import { packages, type Scenario, wrongImports } from "./scenarios.ts";

/** A scenario that is ready: the host stands before the command, as often as wanted. */
export interface Stage {
  host: Host;
  scenario: Scenario;
  args: readonly string[];
  calls: readonly Call[];
  /** As the command leaves it. */
  span: Span;
  /** The same when the collector has been there. */
  collected: Span["after"];
}

/** What a sweep came to. */
export interface Tally {
  readonly points: number;
  /** Points that the run did not come to, because it went another way. */
  readonly missed: readonly string[];
  /** Each with the point at which it was found. */
  readonly violations: readonly string[];
}

/** Prepares a host, runs the command once to its end, and says which calls it makes. The caller removes the host. */
export async function setStage(scenario: Scenario, how: { loop: boolean }): Promise<Stage> {
  const host = await createHost(packages, how);
  try {
    const args = await scenario.prepare(host);
    const before = pictureOf(host.project);
    host.save();
    const { calls, traced } = await traceCalls(host.command(args));
    if (traced.status !== 0) throw new Error(`csp ${args.join(" ")} ended with ${traced.status}:\n${traced.stderr}`);
    const after = pictureOf(host.project);
    const wrong = [...wrongImports(host, scenario.roots), ...(await host.verify())];
    wrong.push(...after.names.filter((name) => unfinished.test(name)));
    if (wrong.length > 0) throw new Error(`${scenario.name} leads to a wrong state:\n${wrong.join("\n")}`);
    await host.succeed("gc");
    const collected = pictureOf(host.project);
    return { host, scenario, args, calls, span: { before, after }, collected };
  } catch (error) {
    await host.remove();
    throw error;
  }
}

/** Kills before each of these calls; with a mode, the power goes, too. */
export async function sweepCrashes(stage: Stage, calls: readonly Call[], cut?: CutMode): Promise<Tally> {
  return sweep(stage, calls, async (call) => {
    const { status, hit } = await runTo(stage.host.command(stage.args), call, "signal=SIGKILL");
    if (status !== 137) return undefined;
    if (cut !== undefined) stage.host.disk?.cut(cut);
    return { hit, wrong: [...(await judgeState(stage)), ...(await judgeRerun(stage))] };
  });
}

/** The same power cuts while no call makes anything durable. Only the state is judged: it is supposed to be wrong. */
export async function sweepWithoutSyncs(stage: Stage, calls: readonly Call[], cut: CutMode): Promise<Tally> {
  const others = calls.filter((call) => !isSync(call));
  return sweep(stage, others, async (call) => {
    const { status, hit } = await runToWithoutSyncs(stage.host.command(stage.args), call, "signal=SIGKILL");
    if (status !== 137) return undefined;
    stage.host.disk?.cut(cut);
    return { hit, wrong: await judgeState(stage) };
  });
}

/** Runs to the end, cuts the power, and wants to see what was promised; things that were removed may be back. */
export async function judgeFinished(stage: Stage, cut: CutMode): Promise<string[]> {
  const { host, args, span, scenario } = stage;
  host.restore();
  await host.succeed(...args);
  host.disk?.cut(cut);
  const wrong = [...wrongOnTheWay(host.project, span), ...wrongImports(host, scenario.roots)];
  const now = pictureOf(host.project);
  if (now.current !== span.after.current) wrong.push(`current leads to ${now.current}`);
  for (const [path, print] of span.after.things) if (now.things.get(path) !== print) wrong.push(`${path} is lost`);
  for (const [name, text] of span.after.project) if (now.project.get(name) !== text) wrong.push(`${name} is lost`);
  const all = [...wrong, ...(await host.verify()), ...(await judgeRerun(stage))];
  return all.map((each) => `${scenario.name}, mode ${cut}: ${each}`);
}

/** Lets each of these calls fail. `isHarmless` says which failures may be survived. */
export async function sweepErrors(
  stage: Stage,
  faults: readonly { call: Call; error: string }[],
  isHarmless: (call: Call, error: string) => boolean,
): Promise<Tally> {
  const missed: string[] = [];
  const violations: string[] = [];
  const known = new Set(stage.calls.map(({ text }) => text));
  for (const { call, error } of faults) {
    const part = await sweep(stage, [call], async (shifted) => {
      const traced = await runTo(stage.host.command(stage.args), shifted, `error=${error}`);
      // What fails elsewhere, a message for instance, is another matter.
      if (traced.hit === undefined || !known.has(traced.hit.text)) return undefined;
      const wrong = judgeFailure(stage, traced, codeOf(stage, error), isHarmless(traced.hit, error));
      if (!mayLeave(stage, traced.hit)) wrong.push(...newLeftovers(stage));
      return { hit: traced.hit, wrong: [...wrong, ...(await judgeState(stage)), ...(await judgeRerun(stage))] };
    });
    missed.push(...part.missed.map((each) => `${error} ${each}`));
    violations.push(...part.violations.map((each) => `${error} ${each}`));
  }
  return { points: faults.length, missed, violations };
}

/** The call that was really hit, and what is wrong then; undefined where none was. */
type Judgement = { hit: Call | undefined; wrong: string[] } | undefined;

/**
 * Other threads and the network make the first thread do a few things more or less often, or in another order, so that a
 * call has another number now and then: then those nearby are tried. Whatever is hit is judged.
 */
async function sweep(
  { host, scenario }: Stage,
  calls: readonly Call[],
  judge: (call: Call) => Promise<Judgement>,
): Promise<Tally> {
  const missed: string[] = [];
  const violations: string[] = [];
  const hits = new Set<string>();
  const label = ({ name, ordinal, text }: Call): string => `${scenario.name}: ${name} ${ordinal}: ${text}`;
  for (const call of calls) {
    for (const shift of [0, 0, 1, -1, 2, -2]) {
      if (hits.has(call.text)) break;
      host.restore();
      const judged = await judge({ ...call, ordinal: Math.max(1, call.ordinal + shift) });
      if (judged?.hit === undefined) continue;
      hits.add(judged.hit.text);
      if (judged.wrong.length > 0) violations.push(`${label(judged.hit)}\n    ${judged.wrong.join("\n    ")}`);
    }
    if (!hits.has(call.text)) missed.push(label(call));
  }
  return { points: calls.length, missed, violations };
}

/** What was left behind: complete, old or new, by an eye of our own and by csp's. */
async function judgeState({ host, scenario, span }: Stage): Promise<string[]> {
  const wrong = wrongOnTheWay(host.project, span);
  const found = scenario.damaged ? [] : await host.verify();
  // Where nothing was ever current, nothing is missing.
  const never = span.before.current === undefined && pictureOf(host.project).current === undefined;
  return [...wrong, ...found.filter((each) => !(never && each === "verify: current is not there"))];
}

/** The same command again: gets there, fetches only what is not here, and what the collector leaves is no more than ever. */
async function judgeRerun({ host, scenario, args, span, collected }: Stage): Promise<string[]> {
  const cached = packages.flatMap(({ name, version }) => {
    const { digest, path } = host.registry.package(name, version);
    return existsSync(blobPath(host.paths, digest)) ? [path] : [];
  });
  host.fetched();
  const { status, stderr } = await host.csp(...args);
  if (status !== 0) return [`the same command again ends with ${status}: ${stderr}`];
  const wrong = scenario.damaged
    ? []
    : host.fetched().flatMap((path) => (cached.includes(path) ? [`${path} was fetched again`] : []));
  wrong.push(...wrongImports(host, scenario.roots), ...(await host.verify()));
  if (pictureOf(host.project).current !== span.after.current) wrong.push("current is not what it should be");
  const gc = await host.csp("gc");
  if (gc.status !== 0) return [...wrong, `the collector ends with ${gc.status}: ${gc.stderr}`];
  return [...wrong, ...wrongAtTheEnd(host.project, collected)];
}

/**
 * What such a call was to take away stays until the collector comes; opening a scratch directory is the first step of
 * that. And what left its place without that being durable is not removed for good.
 */
function mayLeave({ args }: Stage, call: Call): boolean {
  return (
    /^(?:unlink|unlinkat|rmdir)\(|^chmod\("[^"]*\/tmp\/[a-z]+-#"/.test(call.text) || (args[0] === "gc" && isSync(call))
  );
}

function newLeftovers({ host, span }: Stage): string[] {
  const known = new Set([...span.before.names, ...span.after.names]);
  const left = pictureOf(host.project).names.filter((name) => unfinished.test(name) && !known.has(name));
  return left.map((name) => `${name} is left over`);
}

/** Names that mean nothing once a command has ended. */
const unfinished = /^(?:tmp\/|(?:locks\/|project: )?\.csp-)/;

const named = /^error\[(CSP_[A-Z_]+)\]: \S/m;

/** What the command may call this failure. The collector goes on after what it cannot remove, and counts. */
function codeOf({ args }: Stage, error: string): readonly string[] {
  const code = error === "EIO" ? "CSP_IO" : "CSP_DISK_FULL";
  return args[0] === "gc" ? [code, "CSP_GC_PARTIAL"] : [code];
}

/** A failed command says by a code of its own what failed, and has changed nothing or everything. */
function judgeFailure({ host, span }: Stage, traced: Traced, expected: readonly string[], harmless: boolean): string[] {
  const { status, stderr } = traced;
  const now = pictureOf(host.project);
  if (status === 0) {
    if (!harmless) return ["ends with 0"];
    return now.current === span.after.current ? [] : ["ends with 0 and is not done"];
  }
  const wrong: string[] = [];
  const code = named.exec(stderr)?.[1] ?? "nothing";
  if (!expected.includes(code)) wrong.push(`says ${code}, not ${expected.join(" or ")}: ${stderr}`);
  if (/^ +at .+:\d+:\d+\)?$/m.test(stderr) || status === 70) wrong.push(`shows its insides: ${stderr}`);
  const files = [...now.project].filter(([name]) => span.before.project.get(name) !== span.after.project.get(name));
  const old = files.every(([name, text]) => text === span.before.project.get(name));
  if (span.before.current !== span.after.current && now.current === span.before.current && !old) {
    wrong.push("the project's files are new and current is old");
  }
  return wrong;
}
