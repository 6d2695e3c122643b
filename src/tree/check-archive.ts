/** Reads a package archive and compares each file with its copies on disk while the content passes by. */
import { lstatSync } from "node:fs";
import { isCspError } from "../core/errors.ts";
import { createTarReader } from "../core/tar.ts";
import { createPathLedger, type PathLedger } from "../core/tar-ledger.ts";
import { parseManifest } from "../core/tar-manifest.ts";
import { compareFile, type FileComparison } from "./check-content.ts";
import type { OpenCopy } from "./check-copy.ts";
import { defaultUnpackLimits, programsOf } from "./unpack.ts";
import { announcedSize, gunzip } from "./unpack-gunzip.ts";

/** What became of one file of the archive in one copy: what was compared, or why that failed. */
export type Outcome = FileComparison | { failed: unknown };

export interface ArchiveFile {
  size: number;
  /** The archive's own execute bit. */
  executable: boolean;
  /** Copies that hold a plain file in its place. */
  outcomes: Map<OpenCopy, Outcome>;
}

export interface Archive {
  /** By path inside the package; of a path that the archive has twice, the last. */
  files: ReadonlyMap<string, ArchiveFile>;
  folders: ReadonlySet<string>;
  /** Files that package.json makes programs; undefined where it cannot be read. */
  programs: ReadonlySet<string> | undefined;
  /** Bytes read from disk. */
  read: number;
}

/** Archives of at most this content are held whole; larger ones pass by in pieces. */
const wholeBytes = 32 * 1024 ** 2;

/**
 * Compares an archive, whose bytes are those of its digest, with all copies at once. A file that several copies share
 * is read once. `buffer` is for reading files. Throws CSP_TARBALL_INVALID where this csp refuses the archive.
 */
export async function compareArchive(
  blob: Uint8Array,
  expected: { name: string; version: string },
  copies: readonly OpenCopy[],
  buffer: Buffer,
): Promise<Archive> {
  const content = quickContent(blob);
  if (content !== undefined) {
    try {
      return await compare(expected, copies, buffer, async (push) => push(content));
    } catch (error) {
      // An archive of several parts, of which the quick way knows the first only.
      if (!isCspError(error, "CSP_TARBALL_INVALID")) throw error;
    } finally {
      (content.buffer as ArrayBuffer).transfer(0);
    }
  }
  return compare(expected, copies, buffer, (push) => gunzip(blob, defaultUnpackLimits, push));
}

/**
 * The whole content, in half the time that the careful way takes: the digest proves that these bytes were unpacked before
 * within all limits. Undefined for what is large, or not as simple as it looks.
 */
function quickContent(blob: Uint8Array): Uint8Array | undefined {
  const size = announcedSize(blob);
  if (size > wholeBytes) return undefined;
  try {
    const content = Bun.gunzipSync(blob as Uint8Array<ArrayBuffer>, { library: "libdeflate" });
    return content.length === size ? content : undefined;
  } catch {
    return undefined;
  }
}

async function compare(
  expected: { name: string; version: string },
  copies: readonly OpenCopy[],
  buffer: Buffer,
  read: (push: (chunk: Uint8Array) => void) => Promise<void>,
): Promise<Archive> {
  const files = new Map<string, ArchiveFile>();
  const directories = new Set<string>();
  const ledger = createPathLedger(defaultUnpackLimits, {
    directory: (path) => directories.add(path),
    replace: () => {},
  });
  let current: FileComparison[] = [];
  let manifest: Buffer[] | undefined;
  let inManifest = false;
  let bytesRead = 0;

  const reader = createTarReader(defaultUnpackLimits, {
    file(name, executable, size) {
      const path = ledger.file(name);
      if (path === undefined) return;
      inManifest = path === "package.json" && size <= defaultUnpackLimits.manifestBytes;
      if (inManifest) manifest = [];
      const opened = openFiles(path, size, copies, buffer);
      current = opened.comparisons;
      files.set(path, { size, executable, outcomes: opened.outcomes });
    },
    data(bytes, from, to) {
      for (const comparison of current) comparison.next(bytes, from, to);
      if (inManifest) manifest?.push(Buffer.from(bytes.subarray(from, to)));
    },
    fileEnd() {
      inManifest = false;
      closeAll();
    },
    directory: (name) => ledger.directory(name),
    link: (name, target, kind) => void ledger.link(name, target, kind),
  });
  function closeAll(): void {
    for (const comparison of current) {
      comparison.close();
      bytesRead += comparison.read;
    }
    current = [];
  }
  try {
    await read(reader.push);
    reader.end();
  } finally {
    closeAll();
  }
  return { files, folders: directories, programs: readPrograms(manifest, expected, ledger), read: bytesRead };
}

/** Opens the file in every copy that has one there; names of one inode share one comparison. */
function openFiles(
  path: string,
  size: number,
  copies: readonly OpenCopy[],
  buffer: Buffer,
): { outcomes: Map<OpenCopy, Outcome>; comparisons: FileComparison[] } {
  const outcomes = new Map<OpenCopy, Outcome>();
  const comparisons: FileComparison[] = [];
  for (const copy of copies) {
    const place = copy.placeOf(path);
    if (place === undefined || copy.walk.entries.get(place) !== "file") continue;
    const at = `${copy.path}/${place}`;
    try {
      const shared = comparisons.length === 0 ? undefined : sharedWith(at, comparisons);
      const comparison = shared ?? compareFile(at, size, buffer);
      if (shared === undefined) comparisons.push(comparison);
      outcomes.set(copy, comparison);
    } catch (failed) {
      outcomes.set(copy, { failed });
    }
  }
  return { outcomes, comparisons };
}

function sharedWith(path: string, comparisons: readonly FileComparison[]): FileComparison | undefined {
  const { dev, ino } = lstatSync(path);
  const inode = `${dev}:${ino}`;
  return comparisons.find((each) => each.inode === inode);
}

function readPrograms(
  manifest: readonly Buffer[] | undefined,
  expected: { name: string; version: string },
  ledger: PathLedger,
): ReadonlySet<string> | undefined {
  if (manifest === undefined) return undefined;
  const text = Buffer.concat(manifest);
  // Most packages have no programs, and reading package.json takes as long as opening a dozen files.
  if (!text.includes("bin") && !text.includes("\\")) return new Set();
  try {
    return programsOf(parseManifest(text, expected), ledger);
  } catch {
    return undefined;
  }
}
