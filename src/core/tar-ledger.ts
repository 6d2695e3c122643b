/** Keeps the books on an archive's names: which cannot live side by side, and what leads through a link. */
import { depth, driveLetter, foldName, type PathLimits, packagePath } from "./tar-path.ts";
import { printable, tarRefusal } from "./tar-rules.ts";

export interface LedgerLimits extends PathLimits {
  /** Directories, also those that only the names of files imply: one short entry can ask for many. */
  entries: number;
}

/** What an archive has put where, so far. */
export interface PathLedger {
  /** The path inside the package, or undefined for a file beside the top directory, which no installer unpacks. */
  file(name: string): string | undefined;
  directory(name: string): void;
  /** Checks a link, which is never created, and returns its path inside the package. */
  link(name: string, target: string, kind: "symbolic" | "hard"): string;
  /** True where the path is a file of the package. */
  isFile(path: string): boolean;
  /** Paths of the files directly inside a directory. */
  filesIn(directory: string): string[];
  /** First segments seen, in order of appearance. */
  tops(): string[];
}

export interface LedgerEvents {
  /** A directory appears for the first time; parents come before children. */
  directory(path: string): void;
  /** The path was a file already; the last one wins, so the earlier one has to go. */
  replace(path: string): void;
}

/** Throws CSP_TARBALL_INVALID for names that collide, are file and directory, or lead through a link. */
export function createPathLedger(limits: LedgerLimits, events: LedgerEvents): PathLedger {
  /** Folded path to the path as spelt. */
  const files = new Map<string, string>();
  const directories = new Map<string, string>();
  const links = new Set<string>();
  const known = new Set<string>([""]);
  const tops = new Set<string>();
  let lastTop = "";
  let lastDirectory = "";

  function locate(name: string): string {
    const { top, path } = packagePath(name, limits);
    if (top !== lastTop && path !== "") {
      lastTop = top;
      tops.add(top);
    }
    return path;
  }

  function enter(path: string, name: string): void {
    if (known.has(path)) return;
    const slash = path.lastIndexOf("/");
    if (slash > 0) enter(path.slice(0, slash), name);
    const folded = foldName(path);
    if (links.has(folded)) throw tarRefusal("through-link", "leads through a link of the archive", name);
    if (files.has(folded)) throw tarRefusal("file-and-directory", "needs a directory where a file is", name);
    const spelt = directories.get(folded);
    if (spelt !== undefined && spelt !== path) throw collision(name, spelt);
    directories.set(folded, path);
    known.add(path);
    if (directories.size > limits.entries) {
      throw tarRefusal("entry-count", `brings the archive over ${limits.entries} directories`, name);
    }
    events.directory(path);
  }

  function file(name: string): string | undefined {
    const path = locate(name);
    if (path === "") return undefined;
    const slash = path.lastIndexOf("/");
    if (slash > 0) {
      const parent = path.slice(0, slash);
      if (parent !== lastDirectory) {
        enter(parent, name);
        lastDirectory = parent;
      }
    }
    const folded = foldName(path);
    const spelt = files.get(folded);
    if (spelt === undefined) {
      if (directories.has(folded)) throw tarRefusal("file-and-directory", "is a file where a directory is", name);
      files.set(folded, path);
    } else if (spelt === path) events.replace(path);
    else throw collision(name, spelt);
    return path;
  }

  function directory(name: string): void {
    const path = locate(name);
    if (path !== "") enter(path, name);
  }

  function link(name: string, target: string, kind: "symbolic" | "hard"): string {
    const path = locate(name);
    if (path === "") throw tarRefusal("link-escape", "is a link in place of the package", name);
    const slash = path.lastIndexOf("/");
    if (slash > 0) enter(path.slice(0, slash), name);
    if (directories.has(foldName(path))) throw tarRefusal("file-and-directory", "is a link where a directory is", name);
    if (kind === "hard") checkHardLink(name, target);
    else if (escapes(slash < 0 ? "" : path.slice(0, slash), target)) throw escaping(name, target);
    links.add(foldName(path));
    return path;
  }

  /** The target of a hard link is a name in the same archive, by the rules for names. */
  function checkHardLink(name: string, target: string): void {
    let path: string;
    try {
      path = packagePath(target, limits).path;
    } catch (cause) {
      throw tarRefusal("link-escape", `is a link to \`${printable(target)}\`, outside the package`, name, cause);
    }
    for (let at = path.indexOf("/"); at > 0; at = path.indexOf("/", at + 1)) {
      if (links.has(foldName(path.slice(0, at)))) {
        throw tarRefusal("through-link", "is a hard link that leads through another link", name);
      }
    }
  }

  return {
    file,
    directory,
    link,
    isFile: (path) => files.get(foldName(path)) === path,
    filesIn: (parent) => {
      const prefix = parent === "" ? "" : `${parent}/`;
      return [...files.values()].filter((path) => path.startsWith(prefix) && !path.includes("/", prefix.length));
    },
    tops: () => [...tops],
  };
}

/** Whether a symbolic link in `directory` leaves the package at any step of the way. */
function escapes(directory: string, target: string): boolean {
  if (target.startsWith("/") || target.includes("\\") || driveLetter.test(target)) return true;
  let level = directory === "" ? 0 : depth(directory);
  for (const segment of target.split("/")) {
    if (segment === "..") level--;
    else if (segment !== "" && segment !== ".") level++;
    if (level < 0) return true;
  }
  return false;
}

function escaping(name: string, target: string) {
  return tarRefusal("link-escape", `is a link to \`${printable(target)}\`, outside the package`, name);
}

function collision(name: string, other: string) {
  return tarRefusal("collision", `is the same file as \`${printable(other)}\` on some file systems`, name);
}
