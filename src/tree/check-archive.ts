/** Reads a package archive and compares each file with its copies on disk while the content passes by. */
import { lstatSync } from "node:fs";
import { isCspError } from "../core/errors.ts";
import { createTarReader } from "../core/tar.ts";
import { parseManifest } from "../core/tar-manifest.ts";
import { packagePath } from "../core/tar-path.ts";
import { beginComparison, continueComparison, endComparison, type FileComparison } from "./check-content.ts";
import type { OpenCopy } from "./check-copy.ts";
import { defaultUnpackLimits, programsOf } from "./unpack.ts";
import { announcedSize, gunzip } from "./unpack-gunzip.ts";

/** What became of one file of the archive in one copy: what was compared, or why that failed. */
export type Outcome = FileComparison | { failed: unknown };

export interface ArchiveFile {
  size: number;
  /** The archive's own execute bit. */
  executable: boolean;
  /** By the copy's place in the list; undefined where there is no plain file. */
  outcomes: (Outcome | undefined)[];
}

export interface Archive {
  /** By path inside the package; of a path that the archive has twice, the last. */
  files: ReadonlyMap<string, ArchiveFile>;
  /** All folders, also those that only hold something. */
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
  const folders = new Set<string>();
  let current: FileComparison[] = [];
  let manifest: Buffer[] | undefined;
  let inManifest = false;
  let bytesRead = 0;
  // The unpacker's rules for names are kept by the bytes of the digest; only the place in the package is of interest.
  const addFolder = (path: string): void => {
    if (path === "" || folders.has(path)) return;
    addFolder(parentOf(path));
    folders.add(path);
  };
  let lastFolder = "";

  const reader = createTarReader(defaultUnpackLimits, {
    file(name, executable, size) {
      const { path } = packagePath(name, defaultUnpackLimits);
      // Beside the top directory: no installer unpacks it.
      if (path === "") return;
      const folder = parentOf(path);
      if (folder !== lastFolder) addFolder(folder);
      lastFolder = folder;
      inManifest = path === "package.json" && size <= defaultUnpackLimits.manifestBytes;
      if (inManifest) manifest = [];
      const outcomes = copies.map((copy) => openFile(copy, path, size, current));
      files.set(path, { size, executable, outcomes });
    },
    data(bytes, from, to) {
      for (const file of current) continueComparison(file, bytes, from, to, buffer);
      if (inManifest) manifest?.push(Buffer.from(bytes.subarray(from, to)));
    },
    fileEnd() {
      inManifest = false;
      closeAll();
    },
    directory: (name) => addFolder(packagePath(name, defaultUnpackLimits).path),
    link: (name) => addFolder(parentOf(packagePath(name, defaultUnpackLimits).path)),
  });
  function closeAll(): void {
    for (const file of current) {
      endComparison(file);
      bytesRead += file.read;
    }
    if (current.length > 0) current = [];
  }
  try {
    await read(reader.push);
    reader.end();
  } finally {
    closeAll();
  }
  return { files, folders, programs: readPrograms(manifest, expected, files), read: bytesRead };
}

/** Opens the file in one copy, if it has a plain file there; one inode has one comparison, added to `current`. */
function openFile(copy: OpenCopy, path: string, size: number, current: FileComparison[]): Outcome | undefined {
  if (copy.walk.entries.get(path) !== "file") return undefined;
  const at = `${copy.path}/${path}`;
  try {
    const shared = current.length === 0 ? undefined : sharedWith(at, current);
    if (shared !== undefined) return shared;
    const file = beginComparison(at, size);
    current.push(file);
    return file;
  } catch (failed) {
    return { failed };
  }
}

function sharedWith(path: string, current: readonly FileComparison[]): FileComparison | undefined {
  const { dev, ino } = lstatSync(path);
  // Beyond this, numbers are rounded, and two files may seem one.
  return Number.isSafeInteger(ino) ? current.find((file) => file.inode === ino && file.device === dev) : undefined;
}

function readPrograms(
  manifest: readonly Buffer[] | undefined,
  expected: { name: string; version: string },
  files: ReadonlyMap<string, unknown>,
): ReadonlySet<string> | undefined {
  if (manifest === undefined) return undefined;
  const text = Buffer.concat(manifest);
  // Most packages have no programs, and reading package.json takes as long as opening a dozen files. The last is how else
  // the letters of a key can be written.
  if (!['"bin"', '"directories"', "\\u"].some((word) => text.includes(word))) return new Set();
  const filesIn = (folder: string): string[] => [...files.keys()].filter((path) => parentOf(path) === folder);
  try {
    return programsOf(parseManifest(text, expected), { isFile: (path) => files.has(path), filesIn });
  } catch {
    return undefined;
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}
