/** Names in package archives: where an entry belongs inside the package. */
import { tarRefusal } from "./tar-rules.ts";

export interface PathLimits {
  /** A whole path inside the package, in UTF-8 bytes. */
  pathBytes: number;
  /** One name between slashes, in UTF-8 bytes. */
  segmentBytes: number;
  /** Names in one path. */
  depth: number;
}

/** A normalised name. */
export interface PackagePath {
  /** The first segment of the archive's name, which every reader drops (`package`). */
  top: string;
  /** Segments joined by `/`, none of them empty, `.` or `..`; empty for the top itself. */
  path: string;
}

// Anything that needs a second look: empty, `.` and `..` segments, backslashes, all but printable ASCII.
const unusual = /(?:^|\/)\.{0,2}(?:\/|$)|[\\\x00-\x1f\x7f-\uffff]/;
/** `C:x` and `C:/x`, which some systems take for places outside. */
export const driveLetter = /^[A-Za-z]:/;

/**
 * Drops the first segment of an archive's name, and `.` and empty segments anywhere. Throws CSP_TARBALL_INVALID for
 * names that climb, are absolute, hold backslashes or drive letters, or are beyond the limits.
 */
export function packagePath(name: string, limits: PathLimits): PackagePath {
  const slash = name.indexOf("/");
  const short = name.length <= limits.segmentBytes && name.length <= limits.pathBytes;
  if (slash <= 0 || !short || unusual.test(name)) return packagePathSlowly(name, limits);
  const path = name.slice(slash + 1);
  const colon = name.charCodeAt(1) === 0x3a || path.charCodeAt(1) === 0x3a;
  const shallow = name.length < limits.depth * 2 || depth(path) <= limits.depth;
  return colon || !shallow ? packagePathSlowly(name, limits) : { top: name.slice(0, slash), path };
}

function packagePathSlowly(name: string, limits: PathLimits): PackagePath {
  if (name.startsWith("/")) throw tarRefusal("absolute", "is an absolute path", name);
  if (name.includes("\\")) throw tarRefusal("backslash", "has a backslash in its name", name);
  if (name.includes("\0")) throw tarRefusal("nul", "has a NUL byte inside its name", name);
  if (/[\x00-\x1f\x7f-\x9f]/.test(name)) {
    throw tarRefusal("control-character", "has a control character in its name", name);
  }
  const segments: string[] = [];
  for (const segment of name.split("/")) {
    if (segment === "..") throw tarRefusal("traversal", "climbs with `..`", name);
    if (segment !== "" && segment !== ".") segments.push(segment);
  }
  const top = segments.shift() ?? "";
  const path = segments.join("/");
  if (driveLetter.test(top) || driveLetter.test(path)) throw tarRefusal("drive", "begins with a drive letter", name);
  if (segments.length > limits.depth) throw tarRefusal("depth", `is deeper than ${limits.depth} directories`, name);
  if (Buffer.byteLength(path) > limits.pathBytes) {
    throw tarRefusal("name-length", `is longer than ${limits.pathBytes} bytes`, name);
  }
  if (segments.some((segment) => Buffer.byteLength(segment) > limits.segmentBytes)) {
    throw tarRefusal("name-length", `has a part longer than ${limits.segmentBytes} bytes`, name);
  }
  return { top, path };
}

/**
 * One form for all names that some file system takes for the same file: letter case, composed and decomposed
 * accents, `ß` and `ss`. Coarser than any one file system, so that every host refuses the same archives.
 */
export function foldName(path: string): string {
  if (!/[A-Z\x80-\uffff]/.test(path)) return path;
  if (!/[\x80-\uffff]/.test(path)) return path.toLowerCase();
  // Lower case at the end, to agree with ASCII names.
  return path.normalize("NFD").toLowerCase().toUpperCase().normalize("NFD").toLowerCase().normalize("NFD");
}

/** Number of names in a path that has at least one. */
export function depth(path: string): number {
  let segments = 1;
  for (let at = path.indexOf("/"); at >= 0; at = path.indexOf("/", at + 1)) segments++;
  return segments;
}
