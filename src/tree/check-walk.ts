/** What lies in a folder, without following a link and without opening a file. */
import { type Dirent, lstatSync, readdirSync, type Stats } from "node:fs";

export type EntryType = "file" | "folder" | "link" | "other";

export interface Walk {
  /** Path relative to the folder → what it is. */
  entries: Map<string, EntryType>;
  /** Folders whose permission bits let others write, or keep others out; "" is the folder itself. */
  modes: { path: string; mode: number }[];
  /** Folders that could not be read; nothing is known of what is below. */
  blind: { path: string; error: unknown }[];
}

/**
 * Walks a folder; `skip` holds relative paths that are left out with all below. `missing` and `no folder` are of the
 * folder itself; what cannot be read below it is in `blind`.
 */
export function walkFolder(folder: string, skip: ReadonlySet<string>): Walk | "missing" | "no folder" {
  const walk: Walk = { entries: new Map(), modes: [], blind: [] };
  const visit = (path: string): void => {
    const at = path === "" ? folder : `${folder}/${path}`;
    try {
      const stat = lstatSync(at);
      // Reading the names would follow a link.
      if (!stat.isDirectory()) throw Object.assign(new Error("no folder"), { code: "ENOTDIR" });
      const { mode } = stat;
      // Bits that a folder inherits, such as the one for the group, are left to the administrator.
      if ((mode & 0o577) !== 0o555) walk.modes.push({ path, mode: mode & 0o777 });
      for (const entry of readdirSync(at, { withFileTypes: true })) {
        const inner = path === "" ? entry.name : `${path}/${entry.name}`;
        if (skip.has(inner)) continue;
        const type = typeOf(entry);
        walk.entries.set(inner, type);
        if (type === "folder") visit(inner);
      }
    } catch (error) {
      walk.blind.push({ path, error });
    }
  };
  visit("");
  // Only now, as it is the rare case: nothing there, or something else.
  const failed = walk.blind.some(({ path }) => path === "");
  const top = failed ? lookAt(folder) : "folder";
  if (top === undefined) return "missing";
  return top === "folder" ? walk : "no folder";
}

/** What stands at a path; undefined for nothing. Throws what the system refuses. */
export function lookAt(path: string): EntryType | undefined {
  try {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    return stat === undefined ? undefined : typeOf(stat);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOTDIR") return undefined;
    throw error;
  }
}

function typeOf(entry: Dirent | Stats): EntryType {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "folder";
  return entry.isSymbolicLink() ? "link" : "other";
}

/** True where nothing can be said of a path, because a folder above it could not be read. */
export function isBlind(walk: Walk, path: string): boolean {
  return walk.blind.some((each) => each.path === "" || path === each.path || path.startsWith(`${each.path}/`));
}
