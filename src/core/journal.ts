/**
 * The journal's lines. Each carries a number and its own check, so that a line torn by a crash is told from a whole one,
 * and a whole one that was damaged later from both.
 */
import { isLockfileHash, type LockfileHash } from "./lockfile-hash.ts";

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
  /**
   * Absent for the switch of an installation. `rollback` and `use` are switches, too. `resume` ends all holds and `mended`
   * takes note of damage before it; these two switch nothing.
   */
  kind?: "rollback" | "use" | "resume" | "mended";
  /** The hash that this rollback left, for automatic syncs to leave alone. */
  holds?: LockfileHash;
}

export interface Journal {
  /** All whole entries, oldest first. */
  entries: readonly JournalEntry[];
  /**
   * Where entries are missing or spoiled; undefined where all that was ever written can be read. A line that a crash
   * tore is none: its switch had not happened yet.
   */
  damage: { line: number; why: string } | undefined;
}

/** The entry as a line, with its newline. */
export function journalLine(entry: JournalEntry): string {
  const body = JSON.stringify(entry).slice(0, -1);
  return `${body},"check":"${checkOf(body)}"}\n`;
}

/** Reads a whole journal. */
export function parseJournal(text: string): Journal {
  const entries: JournalEntry[] = [];
  let damage: Journal["damage"];
  let spoiled: number | undefined;
  const lines = text.split("\n");
  const unfinished = lines.pop();
  for (const [i, line] of lines.entries()) {
    if (line === "") continue;
    const entry = parseLine(line);
    if (entry === undefined) {
      spoiled ??= i + 1;
      continue;
    }
    const expected = (entries.at(-1)?.seq ?? 0) + 1;
    if (entry.seq !== expected) {
      damage ??= { line: spoiled ?? i + 1, why: `entry ${expected} is missing before entry ${entry.seq}` };
    }
    if (entry.kind === "mended") damage = undefined;
    spoiled = undefined;
    entries.push(entry);
  }
  // An unfinished line after a spoiled one shows that a writer took the spoiled one for torn, and ended it.
  if (spoiled !== undefined && unfinished === "") damage ??= { line: spoiled, why: "the last line is damaged" };
  return { entries, damage };
}

/** The number of the last whole entry; 0 where there is none. */
export function lastSequence(text: string): number {
  const lines = text.split("\n");
  for (let i = lines.length - 1; i >= 0; i--) {
    const entry = parseLine(lines[i] as string);
    if (entry !== undefined) return entry.seq;
  }
  return 0;
}

/** The entry of a line whose check is right. */
function parseLine(line: string): JournalEntry | undefined {
  const match = /^(\{.*),"check":"([0-9a-f]{16})"\}$/.exec(line);
  if (match?.[1] === undefined || match[2] !== checkOf(match[1])) return undefined;
  try {
    const entry = JSON.parse(`${match[1]}}`) as JournalEntry;
    return isEntry(entry) ? entry : undefined;
  } catch {
    return undefined;
  }
}

function isEntry({ seq, at, from, to, command, reason, by, holds }: JournalEntry): boolean {
  return (
    Number.isSafeInteger(seq) &&
    !Number.isNaN(Date.parse(at)) &&
    (from === null || isLockfileHash(from)) &&
    isLockfileHash(to) &&
    typeof command === "string" &&
    (reason === null || typeof reason === "string") &&
    typeof by === "string" &&
    (holds === undefined || isLockfileHash(holds))
  );
}

function checkOf(body: string): string {
  return new Bun.CryptoHasher("sha256").update(body).digest("hex").slice(0, 16);
}
