/** Commands that pause at an exact rename, so that others can be let loose on what is half done there. */
import { readFileSync } from "node:fs";
import { type Child, startChild } from "../support/script/child.ts";

const renames = "rename,renameat,renameat2";
const limit = 60_000;

/** A rename of a command's first thread. */
export interface Rename {
  name: string;
  /** Its number among the calls of that name, from 1. */
  ordinal: number;
  /** Where it leads. */
  to: string;
}

export interface Start {
  argv: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
}

/** A command that stands still, with all the locks it holds. */
export interface Stopped {
  pid: number;
  /** True while it stands still. */
  stands(): boolean;
  goOn(): void;
  readonly child: Child;
}

/** Starts a command in the ordinary way. */
export function start(what: Start): Child {
  return startChild({ ...what, stdin: undefined, tty: false, limit });
}

/** The renames of a command, in order. Throws where it fails. */
export async function renamesOf(what: Start): Promise<Rename[]> {
  const end = await trace(what, []).end;
  if (end.status !== 0) throw new Error(`${what.argv.join(" ")} ended with ${end.status}: ${end.stderr}`);
  const counts = new Map<string, number>();
  return end.stderr.split("\n").flatMap((line) => {
    const [, name, rest = ""] = /^(rename\w*)\((.*)/.exec(line) ?? [];
    if (name === undefined) return [];
    const ordinal = (counts.get(name) ?? 0) + 1;
    counts.set(name, ordinal);
    const to = [...rest.matchAll(/"([^"]*)"/g)][1]?.[1] ?? "";
    return / = 0$/.test(line) ? [{ name, ordinal, to }] : [];
  });
}

/** Starts a command that takes `milliseconds` for one of its renames. */
export function startDelayed(what: Start, { name, ordinal }: Rename, milliseconds: number): Child {
  return trace(what, ["-e", `inject=${name}:delay_enter=${milliseconds * 1000}:when=${ordinal}`]);
}

/** Starts a command and resolves as soon as it stands still behind one of its renames. Rejects where it never comes to it. */
export async function startStopped(what: Start, { name, ordinal }: Rename): Promise<Stopped> {
  const child = trace(what, ["-e", `inject=${name}:signal=SIGSTOP:when=${ordinal}`]);
  await child.shows("stderr", /--- stopped by SIGSTOP ---/);
  const [pid = 0] = childrenOf(child.pid);
  return {
    pid,
    stands: () => /^State:\s+[tT]/m.test(readFileSync(`/proc/${pid}/status`, "utf8")),
    goOn: () => void process.kill(pid, "SIGCONT"),
    child,
  };
}

/** Only the first thread is followed, which makes all renames; what strace says is on the command's stderr. */
function trace(what: Start, flags: readonly string[]): Child {
  const strace = ["strace", "-qq", "-s", "4096", "-e", `trace=${renames}`, ...flags];
  return start({ ...what, argv: [...strace, ...what.argv] });
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);
}
