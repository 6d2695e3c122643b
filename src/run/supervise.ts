/** Waits for a child, hands signals on to it and ends it, with all below it, when its time is over. */
import { type ProcessId, processTree, stillAlive } from "./descendants.ts";

/** Where signals come from; `process` is one. */
export interface SignalSource {
  on(signal: NodeJS.Signals, handler: (signal: NodeJS.Signals) => void): unknown;
  off(signal: NodeJS.Signals, handler: (signal: NodeJS.Signals) => void): unknown;
}

export interface SupervisedChild {
  pid: number;
  exited: Promise<unknown>;
  kill(signal: NodeJS.Signals): void;
}

export interface Supervision {
  signals: SignalSource;
  /** True on a terminal: it sends Ctrl-C and Ctrl-\ to the child itself, and a second one would mean something else. */
  terminal: boolean;
  timeoutMs: number | undefined;
  /** Time between SIGTERM and SIGKILL once the time is over. */
  graceMs: number;
}

const forwarded = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;

/** Signals that come while there is no script yet to hand them to. */
export interface HeldSignals {
  /** The first one. */
  first: Promise<NodeJS.Signals>;
  release(): void;
}

/** Keeps signals from ending this process while it has something that it must clean up. */
export function holdSignals(signals: SignalSource): HeldSignals {
  const { promise: first, resolve: hold } = Promise.withResolvers<NodeJS.Signals>();
  for (const signal of forwarded) signals.on(signal, hold);
  return {
    first,
    release: () => {
      for (const signal of forwarded) signals.off(signal, hold);
    },
  };
}

/** Resolves when the child has ended. */
export async function supervise(child: SupervisedChild, how: Supervision): Promise<{ timedOut: boolean }> {
  const forward = (signal: NodeJS.Signals): void => {
    if (!(how.terminal && (signal === "SIGINT" || signal === "SIGQUIT"))) child.kill(signal);
  };
  for (const signal of forwarded) how.signals.on(signal, forward);
  const ending: { done?: Promise<void> } = {};
  const timer =
    how.timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          ending.done = endTree(child.pid, how.graceMs);
        }, how.timeoutMs);
  try {
    await child.exited;
    await ending.done;
    return { timedOut: ending.done !== undefined };
  } finally {
    clearTimeout(timer);
    for (const signal of forwarded) how.signals.off(signal, forward);
  }
}

/** SIGTERM to the process and all below it, SIGKILL after the grace to what is left, new ones included. */
async function endTree(pid: number, graceMs: number): Promise<void> {
  const asked = processTree(pid);
  signalAll(asked, "SIGTERM");
  for (let waited = 0; waited < graceMs && stillAlive(asked).length > 0; waited += pollMs) await Bun.sleep(pollMs);
  const left = stillAlive(asked);
  signalAll([...left, ...left.flatMap((process) => processTree(process.pid).slice(1))], "SIGKILL");
}

const pollMs = 50;

function signalAll(processes: readonly ProcessId[], signal: NodeJS.Signals): void {
  for (const { pid } of processes) {
    try {
      process.kill(pid, signal);
    } catch {
      // Ended meanwhile, or became another user's: nothing that can be done about it.
    }
  }
}
