/**
 * The journal: one line for every switch, written before the switch. Retirement times come from here, never from file
 * times. One writer at a time: the caller holds the switch lock.
 */
import { readFileSync } from "node:fs";
import { type Journal, type JournalEntry, journalLine, lastSequence, parseJournal } from "../core/journal.ts";
import { appendRecord } from "../fs/durable.ts";
import { guarded } from "../fs/os-error.ts";
import type { HostPaths } from "./layout.ts";

/** Reads the journal; an empty one where there is none yet. */
export function readJournal(paths: HostPaths): Journal {
  return parseJournal(readText(paths));
}

/** Appends an entry durably, and numbers it. A torn last line is ended first, so that it spoils only itself. */
export function appendJournal(paths: HostPaths, entry: Omit<JournalEntry, "seq">): JournalEntry {
  const next: JournalEntry = { seq: lastSequence(readText(paths)) + 1, ...entry };
  appendRecord(paths.journal, journalLine(next));
  return next;
}

function readText(paths: HostPaths): string {
  return guarded(() => {
    try {
      return readFileSync(paths.journal, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
      throw error;
    }
  }, paths.journal);
}
