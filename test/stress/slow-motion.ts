/** Commands that pause at an exact system call, so that others can be let loose on what is half done there. */
import { readFileSync } from "node:fs";
import { type Child, startChild } from "../support/script/child.ts";

/** Sets of system calls. */
export const renames = "rename,renameat,renameat2";
export const changes = `${renames},symlink,symlinkat,mkdir,mkdirat,rmdir,unlink,unlinkat`;
export const readLinks = "readlink,readlinkat";
const limit = 60_000;

/** A system call of a command's first thread. */
export interface Call {
  name: string;
  /** Its number among the calls of that name, from 1. */
  ordinal: number;
  /** All strings in it: paths, and what a link holds. */
  words: readonly string[];
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

/** The calls of a set that a command makes with success, in order. Throws where the command fails. */
export async function callsOf(what: Start, names: string): Promise<Call[]> {
  const end = await trace(what, names, []).end;
  if (end.status !== 0) throw new Error(`${what.argv.join(" ")} ended with ${end.status}: ${end.stderr}`);
  const counts = new Map<string, number>();
  return end.stderr.split("\n").flatMap((line) => {
    const [, name = "", rest = ""] = /^(\w+)\((.*)/.exec(line) ?? [];
    if (!names.split(",").includes(name)) return [];
    const ordinal = (counts.get(name) ?? 0) + 1;
    counts.set(name, ordinal);
    const words = [...rest.matchAll(/"([^"]*)"/g)].map(([, word = ""]) => word);
    return / = \d+$/.test(line) ? [{ name, ordinal, words }] : [];
  });
}

/** Starts a command that takes `milliseconds` for one of its calls. */
export function startDelayed(what: Start, { name, ordinal }: Call, milliseconds: number): Child {
  return trace(what, name, ["-e", `inject=${name}:delay_enter=${milliseconds * 1000}:when=${ordinal}`]);
}

/** Starts a command that gets a signal right behind one of its calls. */
export function startSignalled(what: Start, { name, ordinal }: Call, signal: NodeJS.Signals): Child {
  return trace(what, name, ["-e", `inject=${name}:signal=${signal}:when=${ordinal}`]);
}

/** Starts a command and resolves as soon as it stands still behind one of its calls. Rejects where it never comes to it. */
export async function startStopped(what: Start, { name, ordinal }: Call): Promise<Stopped> {
  const child = trace(what, name, ["-e", `inject=${name}:signal=SIGSTOP:when=${ordinal}`]);
  await child.shows("stderr", /--- stopped by SIGSTOP ---/);
  const [pid = 0] = childrenOf(child.pid);
  return {
    pid,
    stands: () => /^State:\s+[tT]/m.test(readFileSync(`/proc/${pid}/status`, "utf8")),
    goOn: () => void process.kill(pid, "SIGCONT"),
    child,
  };
}

/** Only the first thread is followed, which makes all these calls; what strace says is on the command's stderr. */
function trace(what: Start, names: string, flags: readonly string[]): Child {
  const strace = ["strace", "-qq", "-s", "4096", "-e", `trace=${names}`, ...flags];
  return start({ ...what, argv: [...strace, ...what.argv] });
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);
}
