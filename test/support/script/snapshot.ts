/** Everything a script can compare of files: the proof that a command changed nothing. */
import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

export interface Snapshot {
  /** What was looked at, so that it can be looked at again. */
  roots: readonly string[];
  /** Path → kind, permissions, and the hash of the bytes or the target of the link. */
  entries: ReadonlyMap<string, string>;
}

/** Looks at the paths and all below them, links not followed. What is absent is recorded as absent. */
export function takeSnapshot(roots: readonly string[], leaveOut: (path: string) => boolean = () => false): Snapshot {
  const entries = new Map<string, string>();
  const look = (path: string) => {
    if (leaveOut(path)) return;
    const stat = lstatSync(path, { throwIfNoEntry: false });
    const mode = stat ? (stat.mode & 0o7777).toString(8).padStart(4, "0") : "";
    if (!stat) entries.set(path, "absent");
    else if (stat.isSymbolicLink()) entries.set(path, `link to ${readlinkSync(path)}`);
    else if (stat.isFile()) {
      const hash = createHash("sha256").update(readFileSync(path)).digest("hex");
      entries.set(path, `file ${mode}, ${stat.size} bytes, ${hash.slice(0, 16)}`);
    } else if (stat.isDirectory()) {
      entries.set(path, `directory ${mode}`);
      for (const name of readdirSync(path).sort()) look(join(path, name));
    } else entries.set(path, `special ${mode}`);
  };
  for (const root of roots) look(root);
  return { roots, entries };
}

/** One line a difference: what came, went or changed. */
export function compareSnapshots(before: Snapshot, after: Snapshot): string[] {
  const lines: string[] = [];
  for (const path of [...new Set([...before.entries.keys(), ...after.entries.keys()])].sort()) {
    const [was, is] = [before.entries.get(path) ?? "absent", after.entries.get(path) ?? "absent"];
    if (was !== is) lines.push(`${path}: ${was} → ${is}`);
  }
  return lines;
}
