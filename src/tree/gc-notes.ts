/**
 * What the collector remembers: since when it knows that no tree refers to a blob, and since when it knows a tree that
 * the journal does not mention. Grace is counted from these times. Losing them makes grace start anew, never shorter.
 */
import { readFileSync, unlinkSync } from "node:fs";
import { CspError } from "../core/errors.ts";
import type { Digest } from "../core/integrity.ts";
import { isLockfileHash, type LockfileHash } from "../core/lockfile-hash.ts";
import { replaceFile, syncDirectory } from "../fs/durable.ts";
import { guarded, osCode, quotedPath } from "../fs/os-error.ts";
import type { HostPaths } from "./layout.ts";

/** Milliseconds since 1970. */
export interface GcNotes {
  blobs: ReadonlyMap<Digest, number>;
  trees: ReadonlyMap<LockfileHash, number>;
}

/** Format of `gc.json`. */
const notesFormat = 1;

/** Reads the notes; empty ones where there are none yet. Throws CSP_GC_UNSURE where they cannot be understood. */
export function readGcNotes(paths: HostPaths): GcNotes {
  const text = readText(paths);
  if (text === undefined) return { blobs: new Map(), trees: new Map() };
  const notes = parse(text);
  if (notes !== undefined) return notes;
  throw new CspError("CSP_GC_UNSURE", {
    message: `the collector's notes in ${quotedPath(paths.gcNotes)} cannot be read`,
    hint: "remove that file; every grace then starts anew",
    data: { path: paths.gcNotes },
  });
}

/** Replaces the notes durably, if they changed. On a full disk they are forgotten instead, which frees space and shortens no grace. */
export function writeGcNotes(paths: HostPaths, notes: GcNotes): void {
  const times = (map: ReadonlyMap<string, number>): object =>
    Object.fromEntries([...map].sort().map(([name, time]) => [name, new Date(time).toISOString()]));
  const text = `${JSON.stringify({ format: notesFormat, blobs: times(notes.blobs), trees: times(notes.trees) })}\n`;
  try {
    if (readText(paths) === text || (notes.blobs.size + notes.trees.size === 0 && readText(paths) === undefined))
      return;
    replaceFile(paths.gcNotes, text, { mode: 0o644, stagingDirectory: paths.tmp });
  } catch (error) {
    if (osCode(error) !== "ENOSPC" && osCode(error) !== "EDQUOT") throw error;
    forget(paths);
  }
}

function readText(paths: HostPaths): string | undefined {
  return guarded(() => {
    try {
      return readFileSync(paths.gcNotes, "utf8");
    } catch (error) {
      if (osCode(error) !== "ENOENT") throw error;
      return undefined;
    }
  }, paths.gcNotes);
}

function forget(paths: HostPaths): void {
  guarded(() => {
    try {
      unlinkSync(paths.gcNotes);
      syncDirectory(paths.root);
    } catch (error) {
      if (osCode(error) !== "ENOENT") throw error;
    }
  }, paths.gcNotes);
}

function parse(text: string): GcNotes | undefined {
  try {
    const { format, blobs, trees } = JSON.parse(text) as { format: number; blobs: object; trees: object };
    if (format !== notesFormat) return undefined;
    return { blobs: times(blobs, /^[0-9a-f]{128}$/), trees: times(trees, { test: isLockfileHash }) };
  } catch {
    return undefined;
  }
}

function times(record: object, name: { test: (text: string) => boolean }): Map<string, number> {
  return new Map(
    Object.entries(record).map(([key, text]) => {
      const time = Date.parse(String(text));
      if (!name.test(key) || Number.isNaN(time)) throw new Error("not a note");
      return [key, time];
    }),
  );
}
