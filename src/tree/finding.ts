/** What verifying finds: which thing, what is wrong with it, and whether that is certain. */
import { printable } from "../core/tar-rules.ts";

/** `unchecked`: nothing is known to be wrong, but it could not be compared. */
export type FindingKind = "corrupt" | "missing" | "unchecked";

/** Repairs heal whole things: a blob, a package instance, a tree, a lease, the journal, `current`. */
export type ThingType = "blob" | "package" | "tree" | "lease" | "journal" | "current";

/** Stable words for programs. */
export type FindingReason =
  | "absent"
  | "content"
  | "size"
  | "mode"
  | "type"
  | "extra"
  | "target"
  | "digest"
  | "description"
  | "lockfile"
  | "line"
  | "no-blob"
  | "unreadable"
  | "archive"
  | "unknown";

export interface Thing {
  type: ThingType;
  /** Digest, instance id or lockfile hash; empty for `journal` and `current`. */
  id: string;
}

export interface Finding {
  kind: FindingKind;
  thing: Thing;
  /** Relative to `<data dir>/script-packages`. */
  path: string;
  reason: FindingReason;
  /** What is wrong with the path, as the end of a sentence that begins with it. */
  message: string;
  /** The operating system's code where it refused something (`EIO`). */
  os?: string;
}

/** Collects findings about things below `root`; what a message says of foreign text must be fit to print already. */
export interface Findings {
  readonly list: Finding[];
  add(kind: FindingKind, thing: Thing, path: string, reason: FindingReason, message: string): void;
  /** A file operation that the system refused: the path is missing, or cannot be checked. */
  addError(error: unknown, thing: Thing, path: string): void;
}

/** Of one thing no more are listed than this: the rest says nothing new. */
const mostOfOne = 100;

/** An empty collection; paths given to it are absolute and shown relative to `root`. */
export function createFindings(root: string): Findings {
  const list: Finding[] = [];
  const counts = new Map<string, number>();
  const push = (finding: Finding): void => {
    const key = thingKey(finding.thing);
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    if (count <= mostOfOne) list.push(finding);
  };
  const shown = (path: string): string =>
    printable(path.startsWith(`${root}/`) ? path.slice(root.length + 1) : path, 1000);
  return {
    list,
    add(kind, thing, path, reason, message) {
      push({ kind, thing, path: shown(path), reason, message });
    },
    addError(error, thing, path) {
      const { code } = error as NodeJS.ErrnoException;
      if (typeof code !== "string" || !/^E[A-Z0-9]+$/.test(code)) throw error;
      if (code === "ENOENT" || code === "ENOTDIR") this.add("missing", thing, path, "absent", "is not there");
      else {
        const message = `cannot be read (${code})`;
        push({ kind: "unchecked", thing, path: shown(path), reason: "unreadable", message, os: code });
      }
    },
  };
}

/** One string for one thing. */
export function thingKey({ type, id }: Thing): string {
  return `${type}:${id}`;
}

/** True for what makes a host damaged. */
export function isDamage(finding: Finding): boolean {
  return finding.kind !== "unchecked";
}
