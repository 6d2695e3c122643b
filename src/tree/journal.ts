/**
 * The journal: one line for every switch, written before the switch. Each line carries its own check, so a line torn by a
 * crash is told from a whole one and left out. Retirement times come from here, never from file times.
 */
import { readFileSync } from "node:fs";
import { isLockfileHash, type LockfileHash } from "../core/lockfile-hash.ts";
import { appendRecord } from "../fs/durable.ts";
import type { HostPaths } from "./layout.ts";

export interface JournalEntry {
  /** 1, 2, 3, … */
  seq: number;
  /** ISO time, UTC. */
  at: string;
  from: LockfileHash | null;
  to: LockfileHash;
  /** The command that switched. */
  command: string;
  reason: string | null;
  /** `user@host`. */
  by: string;
}

/** All whole entries, oldest first; none where there is no journal yet. */
export function readJournal(paths: HostPaths): JournalEntry[] {
  let text: string;
  try {
    text = readFileSync(paths.journal, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  return text.split("\n").flatMap((line) => parseLine(line) ?? []);
}

/** Appends an entry durably. A torn last line is closed first, so that it cannot swallow the new one. */
export function appendJournal(paths: HostPaths, entry: Omit<JournalEntry, "seq">): JournalEntry {
  const whole = readJournal(paths);
  const next: JournalEntry = { seq: (whole.at(-1)?.seq ?? 0) + 1, ...entry };
  const body = JSON.stringify(next).slice(0, -1);
  appendRecord(paths.journal, `${endsTorn(paths) ? "\n" : ""}${body},"check":"${checkOf(body)}"}\n`);
  return next;
}

function endsTorn(paths: HostPaths): boolean {
  try {
    const bytes = readFileSync(paths.journal);
    return bytes.length > 0 && bytes[bytes.length - 1] !== 0x0a;
  } catch {
    return false;
  }
}

/** The entry of a line whose check is right. */
function parseLine(line: string): JournalEntry | undefined {
  const match = /^(.*),"check":"([0-9a-f]{16})"\}$/.exec(line);
  if (match?.[1] === undefined || match[2] !== checkOf(match[1])) return undefined;
  const entry = JSON.parse(`${match[1]}}`) as JournalEntry;
  return isLockfileHash(entry.to) ? entry : undefined;
}

function checkOf(body: string): string {
  return new Bun.CryptoHasher("sha256").update(body).digest("hex").slice(0, 16);
}
