/** Who holds a lock: for messages only. Nothing is decided by it, and anything unclear is "unknown". */
import { ftruncateSync, readdirSync, readFileSync, readlinkSync, type Stats, statSync, writeSync } from "node:fs";

/** The process that holds a lock. Holders of a shared lock leave no purpose and time. */
export interface LockHolder {
  pid: number;
  purpose: string | undefined;
  /** ISO 8601, UTC. */
  since: string | undefined;
}

/** Notes this process in the lock file it holds exclusively. A full disk is no reason to fail. */
export function writeHolder(fd: number, purpose: string, now: number): void {
  const note = Buffer.from(`${JSON.stringify({ pid: process.pid, purpose, since: new Date(now).toISOString() })}\n`);
  attempt(() => {
    writeSync(fd, note, 0, note.length, 0);
    ftruncateSync(fd, note.length);
  });
}

/** Takes the note away, while the lock is still held. */
export function clearHolder(fd: number): void {
  attempt(() => ftruncateSync(fd, 0));
}

/** A living holder of the lock, if one can be told: by the kernel's list where there is one, else by the note. */
export function readHolder(path: string): LockHolder | undefined {
  return attempt(() => {
    const note = parseNote(readFileSync(path, "utf8"));
    const pids = kernelLockHolders([path]).get(path) ?? [];
    if (note && (pids.length === 0 || pids.includes(note.pid))) return isAlive(note.pid) ? note : undefined;
    const pid = pids.find(isAlive);
    return pid === undefined ? undefined : { pid, purpose: undefined, since: undefined };
  });
}

/** The holder in words that follow "held by". */
export function describeHolder(holder: LockHolder | undefined): string {
  if (!holder) return "another process, which could not be told";
  const since = holder.since === undefined ? "" : ` since ${holder.since}`;
  return holder.purpose === undefined
    ? `process ${holder.pid}`
    : `\`${holder.purpose}\` (process ${holder.pid})${since}`;
}

function parseNote(text: string): LockHolder | undefined {
  const note: unknown = text.length > 1000 ? undefined : attempt(() => JSON.parse(text));
  if (typeof note !== "object" || note === null || !("pid" in note) || !("purpose" in note) || !("since" in note)) {
    return undefined;
  }
  const { pid, purpose, since } = note;
  if (typeof pid !== "number" || !Number.isSafeInteger(pid) || pid < 1) return undefined;
  if (typeof purpose !== "string" || !/^[\w .:@/+-]{1,100}$/.test(purpose)) return undefined;
  if (typeof since !== "string" || !/^\d{4}-\d\d-\d\dT[\d:.]{8,12}Z$/.test(since)) return undefined;
  return { pid, purpose, since };
}

/**
 * The processes that took a lock on each of these files, by the kernel's list; none where it has no list. One that is gone
 * handed its lock to a child, which the list does not name.
 */
export function kernelLockHolders(paths: readonly string[]): Map<string, number[]> {
  const holders = new Map<string, number[]>();
  const list = attempt(() => readFileSync("/proc/locks", "utf8"));
  if (list === undefined) return holders;
  const byFile = new Map<string, number[]>();
  // `1: FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF`; waiting ones have `->` and are no holders.
  for (const line of list.split("\n")) {
    const [, kind, , , pid, where = ""] = line.split(/\s+/);
    if (kind === "FLOCK") byFile.set(where, [...(byFile.get(where) ?? []), Number(pid)]);
  }
  for (const path of paths) {
    const pids = attempt(() => byFile.get(fileInList(statSync(path))));
    if (pids !== undefined) holders.set(path, pids);
  }
  return holders;
}

/**
 * The living processes behind locks on these files: those that took them, and where one of those is gone, those that have
 * the file open, because they inherited it. Only processes that this user may look at; Linux only.
 */
export function livingLockHolders(paths: readonly string[]): Map<string, number[]> {
  const holders = kernelLockHolders(paths);
  const orphaned = [...holders].filter(([, pids]) => !pids.every(isAlive)).map(([path]) => path);
  const open = orphaned.length === 0 ? new Map<string, number[]>() : openersOf(new Set(orphaned));
  for (const [path, pids] of holders) {
    const living = new Set([...pids.filter(isAlive), ...(open.get(path) ?? [])]);
    holders.set(
      path,
      [...living].sort((a, b) => a - b),
    );
  }
  return holders;
}

function openersOf(paths: ReadonlySet<string>): Map<string, number[]> {
  const openers = new Map<string, number[]>();
  for (const name of attempt(() => readdirSync("/proc")) ?? []) {
    if (!/^[0-9]+$/.test(name) || Number(name) === process.pid) continue;
    for (const fd of attempt(() => readdirSync(`/proc/${name}/fd`)) ?? []) {
      const path = attempt(() => readlinkSync(`/proc/${name}/fd/${fd}`));
      if (path !== undefined && paths.has(path)) openers.set(path, [...(openers.get(path) ?? []), Number(name)]);
    }
  }
  return openers;
}

function fileInList({ dev, ino }: Stats): string {
  const major = (Math.floor(dev / 256) % 4096) + Math.floor(dev / 2 ** 44) * 4096;
  const minor = (dev % 256) + (Math.floor(dev / 2 ** 20) % 2 ** 24) * 256;
  return `${hex(major)}:${hex(minor)}:${ino}`;
}

function hex(value: number): string {
  return value.toString(16).padStart(2, "0");
}

function isAlive(pid: number): boolean {
  // The kernel shows processes of other containers as 0.
  if (pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** Undefined where it fails: what this file finds out is never worth an error. */
function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
