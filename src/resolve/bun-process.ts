/**
 * One run of bun as a child that cannot outlive its limit.
 *
 * `Bun.spawn` rather than execa: the child gets a process group of its own, and killing that group is the point here
 * (execa kills one process, and stops cleaning up as soon as `detached` is set); and loading execa takes 40 ms, twice
 * as long as the whole run when nothing changed.
 */
import { CspError } from "../core/errors.ts";
import { quoted } from "../core/quote.ts";

export interface BunRun {
  bun: string;
  args: readonly string[];
  cwd: string;
  /** The whole environment; nothing is inherited. */
  env: Readonly<Record<string, string>>;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

export interface BunEnd {
  /** Undefined where a signal ended it. */
  exit: number | undefined;
  /** The signal that ended it. */
  signal: string | undefined;
  timedOut: boolean;
  /** The first 4 MiB. */
  stderr: string;
}

const longestOutput = 4 * 1024 * 1024;

/**
 * Runs bun to its end. After `timeoutMs`, or on abort, its whole process group is killed.
 * Throws CSP_BUN_MISSING where it cannot be started, and the signal's reason on abort.
 */
export async function runBun(run: BunRun): Promise<BunEnd> {
  run.signal?.throwIfAborted();
  const child = start(run);
  const reader = child.stderr.getReader();
  let timedOut = false;
  const stop = () => {
    // Until it is reaped the id cannot belong to anybody else.
    if (child.exitCode === null && child.signalCode === null) killGroup(child.pid);
    // A process that left the group may still hold the pipe; its output is not worth waiting for.
    void reader.cancel();
  };
  const timer = setTimeout(() => {
    timedOut = true;
    stop();
  }, run.timeoutMs);
  run.signal?.addEventListener("abort", stop, { once: true });
  try {
    const stderr = await readText(reader);
    await child.exited;
    run.signal?.throwIfAborted();
    const signal = child.signalCode === null ? undefined : String(child.signalCode);
    return { exit: child.exitCode ?? undefined, signal, timedOut, stderr };
  } finally {
    clearTimeout(timer);
    run.signal?.removeEventListener("abort", stop);
  }
}

function start(run: BunRun) {
  try {
    return Bun.spawn([run.bun, ...run.args], {
      cwd: run.cwd,
      env: { ...run.env },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
      detached: true,
    });
  } catch (cause) {
    throw new CspError("CSP_BUN_MISSING", {
      message: `${quoted(run.bun)} cannot be run`,
      hint: "install csp again, or set `CSP_BUN` to the path of a bun executable",
      cause,
    });
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

async function readText(reader: {
  read(): Promise<{ done: boolean; value?: Uint8Array | undefined }>;
}): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done || value === undefined) return text + decoder.decode();
    // What is over the limit is read all the same: a full pipe would stop bun.
    if (text.length < longestOutput) text += decoder.decode(value, { stream: true });
  }
}
