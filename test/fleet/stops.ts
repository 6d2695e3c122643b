/**
 * A real csp that is stopped or killed at one of its requests. Others come by and finish what they do, then it goes on or
 * stays dead. The stores must be sound at every look, and complete and tidy in the end.
 */
import { createGate, type GateKeeper, type Moment } from "../support/proxy.ts";
import type { Outcome } from "../support/script/child.ts";
import type { World } from "./world.ts";

export interface Way {
  name: string;
  when: Moment;
  /** Whether it may go on after the others. */
  wakes: boolean;
  /** Whether the request, or its answer, arrives after all, as late as that. */
  arrives: boolean;
}

export const ways: readonly Way[] = [
  { name: "is killed before it", when: "before", wakes: false, arrives: false },
  { name: "is killed before it, and it arrives late", when: "before", wakes: false, arrives: true },
  { name: "is killed before the answer", when: "after", wakes: false, arrives: false },
  { name: "sleeps before it", when: "before", wakes: true, arrives: true },
  { name: "sleeps before the answer", when: "after", wakes: true, arrives: true },
  { name: "sleeps before the answer, which is lost", when: "after", wakes: true, arrives: false },
];

/** One attempt of a command on stores of its own. */
export interface Attempt {
  args: readonly string[];
  /** What the others do while it stands still. Throws where they cannot. */
  others(): Promise<void>;
  /** Looks that must be good at any time. */
  look(when: string): Promise<void>;
  /** Given how it ended, where it did by itself: whether that was a way to end. */
  judge(outcome: Outcome): Promise<void>;
  /** The same again, to the end, and what must be true then. */
  finish(): Promise<void>;
  stop(): Promise<void>;
}

/** A command and how its stores are prepared. */
export interface Subject {
  name: string;
  prepare(gate: GateKeeper): Promise<Attempt>;
}

/** How many requests it makes where nobody disturbs it. */
export async function countRequests(world: World, subject: Subject, csp?: string): Promise<readonly string[]> {
  const gate = createGate();
  const attempt = await subject.prepare(gate);
  try {
    const child = world.start(attempt.args, csp);
    const outcome = await child.end;
    const requests = [...gate.requests];
    if (outcome.status !== 0) throw new Error(`${subject.name} fails: ${outcome.stderr}`);
    await attempt.judge(outcome);
    await attempt.finish();
    return requests;
  } finally {
    await attempt.stop();
  }
}

/** Makes one attempt; gives how it ended, or undefined where it never came to that request. Throws what was wrong. */
export async function tryStop(
  world: World,
  subject: Subject,
  number: number,
  way: Way,
  csp?: string,
): Promise<string | undefined> {
  const gate = createGate();
  const attempt = await subject.prepare(gate);
  const standing = gate.hold(number, way.when);
  const child = world.start(attempt.args, csp);
  let label = "";
  try {
    const held = await Promise.race([standing, child.end.then(() => undefined)]);
    if (held !== undefined) {
      label = held.label;
      process.kill(child.pid, way.wakes ? "SIGSTOP" : "SIGKILL");
      if (!way.wakes) await child.end;
      await attempt.others();
      await attempt.look("while it stands still");
      if (way.wakes) process.kill(child.pid, "SIGCONT");
      if (way.arrives) await held.pass();
      else held.lose();
    }
    const outcome = await child.end;
    if (way.wakes) await attempt.judge(outcome);
    await attempt.look("after it ended");
    await attempt.finish();
    const code = /(?<=error\[)CSP_[A-Z_]+/.exec(outcome.stderr)?.[0] ?? "an error";
    return held === undefined ? undefined : way.wakes ? (outcome.status === 0 ? "done" : code) : "dead";
  } catch (error) {
    throw new Error(`${subject.name} ${way.name}, request ${number} ${label}: ${said(error)}`, { cause: error });
  } finally {
    child.kill();
    await attempt.stop();
  }
}

function said(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
