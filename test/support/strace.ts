/**
 * Stopping a command at an exact system call. Only its first thread is followed: csp publishes with synchronous calls on
 * that thread, and there the n-th call of a name is the same one in every run. What was hit is read from the trace, so a
 * run that went another way is noticed and never counted.
 */
import { readFileSync } from "node:fs";
import { startChild } from "./script/child.ts";

/** One system call that touches names or data. */
export interface Call {
  name: string;
  /** Its number among the calls of that name, from 1. */
  ordinal: number;
  /** The call without process numbers and the like, and which one of these it is: the same in every run. */
  text: string;
}

/** What happens instead of the call, in the words of `strace -e inject`. */
export type Effect = "signal=SIGKILL" | `error=${string}` | `retval=${number}`;

export interface Traced {
  /** 137 where it was killed. */
  status: number;
  stdout: string;
  stderr: string;
  /** The call that was replaced; undefined where the run never came to it. */
  hit: Call | undefined;
}

export interface Command {
  argv: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
  /** Where the trace is written. */
  log: string;
  /** Calls are of interest that name something below this folder. */
  base: string;
}

const names =
  "rename renameat renameat2 link linkat symlink symlinkat unlink unlinkat rmdir mkdir mkdirat mknod mknodat open openat " +
  "openat2 creat write pwrite64 writev pwritev pwritev2 fsync fdatasync syncfs sync_file_range ftruncate truncate " +
  "fallocate chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat copy_file_range sendfile setxattr utimensat";
/** Those that make changes durable. */
const syncs = "fsync,fdatasync,syncfs";
const limit = 60_000;

/** Runs to the end and gives, in order, all calls that changed something below `base`, or made a change durable. */
export async function traceCalls(command: Command): Promise<{ calls: Call[]; traced: Traced }> {
  const traced = await run(command, []);
  const calls = readTrace(command).flatMap(({ call, line }) => (matters(line, command.base) ? [call] : []));
  return { calls, traced };
}

/** Runs with that call replaced. */
export async function runTo(command: Command, { name, ordinal }: Call, effect: Effect): Promise<Traced> {
  const traced = await run(command, ["-e", `inject=${name}:${effect}:when=${ordinal}`]);
  return { ...traced, hit: hitOf(command, traced.status) };
}

/** The same while all calls that make changes durable say that they did, and do nothing. */
export async function runToWithoutSyncs(command: Command, call: Call | undefined, effect: Effect): Promise<Traced> {
  const at = call === undefined ? [] : ["-e", `inject=${call.name}:${effect}:when=${call.ordinal}`];
  const traced = await run(command, ["-e", `inject=${syncs}:retval=0`, ...at]);
  return { ...traced, hit: call === undefined ? undefined : hitOf(command, traced.status) };
}

/** True for a call that makes changes durable. */
export function isSync({ name }: Call): boolean {
  return syncs.split(",").includes(name);
}

async function run({ argv, cwd, env, log }: Command, flags: readonly string[]): Promise<Traced> {
  const strace = ["strace", "-qq", "-y", "-s", "0", "-o", log, "-e", `trace=${names.replaceAll(" ", ",?")}`];
  const { status, stdout, stderr } = await startChild({
    argv: [...strace, ...flags, ...argv],
    cwd,
    env,
    stdin: undefined,
    tty: false,
    limit,
  }).end;
  return { status, stdout, stderr, hit: undefined };
}

function readTrace({ log, base }: Command): { call: Call; line: string }[] {
  const counts = new Map<string, number>();
  const next = (key: string): number => {
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    return count;
  };
  return readFileSync(log, "latin1")
    .split("\n")
    .flatMap((line) => {
      const name = /^(\w+)\(/.exec(line)?.[1];
      if (name === undefined) return [];
      const text = normalised(line, base);
      return [{ call: { name, ordinal: next(name), text: `${text} ${next(text)}` }, line }];
    });
}

/** A killed run ends with the call that it did not make; another one says which call was replaced by an error. */
function hitOf(command: Command, status: number): Call | undefined {
  const lines = readTrace(command);
  if (status === 137) return lines.at(-1)?.call;
  return lines.find(({ line }) => line.endsWith("(INJECTED)") && !/ = 0 \(INJECTED\)$/.test(line))?.call;
}

/** Calls that failed changed nothing, and neither does opening to read. */
function matters(line: string, base: string): boolean {
  const named = line.replace(/AT_FDCWD<[^>]*>/g, "");
  if (!named.includes(base) || / = -1 E/.test(line)) return false;
  return !/^(?:open|openat|openat2)\(/.test(line) || /O_CREAT|O_TRUNC/.test(line);
}

/** Without results, contents, numbers of processes and of open files. */
function normalised(line: string, base: string): string {
  return line
    .replace(/\)\s+= .*$/, "")
    .replaceAll(base, "")
    .replace(/(-|\.csp-|\.csp-probe-)\d+-\d+(?=[/">])/g, "$1#")
    .replace(/(\/\.stamp-)\d+/g, "$1#")
    .replace(/, ""(?:\.\.\.)?, .*$/, "")
    .replace(/(?<=[( ])\d+</g, "<")
    .replace(/AT_FDCWD<[^>]*>, /g, "")
    .replace(/, \d+$/, "");
}
