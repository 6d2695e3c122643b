/**
 * Changes that survive a power cut, whole or not at all. All calls are synchronous, so that a crash test can stop
 * between any two of them in a known order. Errors of write, sync and rename are thrown and never retried:
 * after a failed sync the kernel may have dropped the data. Operating system errors come as `describeOsError` says.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { flock, lockExclusive, lockWithoutWaiting, syncfs, systemError } from "./libc.ts";
import { guarded, osCode } from "./os-error.ts";
import { createUnique } from "./unique-name.ts";

/** Where a replacement is prepared. */
interface Staging {
  /** A directory on the same file system, for the temporary name; the directory of the final name if absent. */
  stagingDirectory?: string;
}

/** How a file is replaced. */
export interface ReplaceOptions extends Staging {
  /** Exact permission bits, whatever the umask. Absent: those of the file replaced, or 0666 less the umask. */
  mode?: number;
}

/** Waits until everything written so far on the file system of this directory is on the device. */
export function syncFileSystem(directory: string): void {
  withDirectory(directory, (fd) => {
    const errno = syncfs(fd);
    if (errno !== 0) throw systemError(errno, "syncfs", directory);
    if (process.platform !== "linux") fsyncSync(fd);
  });
}

/** Makes the names in this directory durable: what was created, renamed or removed in it. */
export function syncDirectory(directory: string): void {
  withDirectory(directory, (fd) => {
    try {
      fsyncSync(fd);
    } catch (error) {
      // Some network file systems have no sync of a directory; their renames go to the server at once.
      if (osCode(error) !== "EINVAL") throw error;
    }
  });
}

/**
 * Makes everything below a directory durable, file by file. For few files: unlike `syncFileSystem` it does not wait for
 * what others write to the same file system.
 */
export function syncTree(directory: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory()) syncTree(path);
    else if (entry.isFile()) guarded(() => syncFile(path), path);
  }
  syncDirectory(directory);
}

function syncFile(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Replaces or creates a file in one step: readers and power cuts meet the old content or the new. A symbolic link in
 * the last place is followed, as an editor would. On failure the old file and no temporary file is left; a crash can
 * leave a `.csp-<pid>-<n>` beside it or in `stagingDirectory`, which is locked as long as its writer lives.
 */
export function replaceFile(path: string, bytes: Uint8Array | string, options: ReplaceOptions = {}): void {
  guarded(() => {
    const existing = lstatSync(path, { throwIfNoEntry: false });
    const target = existing?.isSymbolicLink() ? realpathSync(path) : path;
    const mode = options.mode ?? (existing?.isSymbolicLink() ? lstatSync(target) : existing)?.mode;
    const [temporary, fd] = createUnique(options.stagingDirectory ?? dirname(target), ".csp", (name) => [
      name,
      openSync(name, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o666),
    ]);
    putInPlace(temporary, target, () => {
      try {
        // Tells whoever cleans up that its writer lives. Without locks nobody asks.
        flock(fd, lockExclusive | lockWithoutWaiting);
        if (mode !== undefined) fchmodSync(fd, mode & 0o7777);
        writeAll(fd, toBytes(bytes));
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
    });
  }, path);
}

/** Replaces or creates a symbolic link in one step. A real directory in its place is an error, never removed. */
export function replaceSymlink(path: string, target: string, options: Staging = {}): void {
  guarded(() => {
    const temporary = createUnique(options.stagingDirectory ?? dirname(path), ".csp", (name) => {
      symlinkSync(target, name);
      return name;
    });
    putInPlace(temporary, path, () => {});
  }, path);
}

/**
 * Adds bytes, which must end in a newline, at the end of a file (created with mode 0644 less the umask) and waits for
 * the device. A last line that a crash cut short is ended first, so it spoils no record but itself. On failure
 * the file has its old length. One writer at a time: the caller holds a lock.
 */
export function appendRecord(path: string, bytes: Uint8Array | string): void {
  guarded(() => {
    const isNew = lstatSync(path, { throwIfNoEntry: false }) === undefined;
    const fd = openSync(path, constants.O_RDWR | constants.O_APPEND | constants.O_CREAT, 0o644);
    try {
      const { size } = fstatSync(fd);
      try {
        writeAll(fd, Buffer.concat([Buffer.from(endsInNewline(fd, size) ? "" : "\n"), toBytes(bytes)]));
      } catch (error) {
        ftruncateSync(fd, size);
        throw error;
      }
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    if (isNew) syncDirectory(dirname(path));
  }, path);
}

/** Writes all bytes at the file's position; the kernel may take fewer in one call. */
export function writeAll(fd: number, bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.length; ) offset += writeSync(fd, bytes, offset, bytes.length - offset);
}

function putInPlace(temporary: string, path: string, fill: () => void): void {
  try {
    fill();
    renameSync(temporary, path);
  } catch (error) {
    unlinkSync(temporary);
    throw error;
  }
  syncDirectory(dirname(path));
}

function withDirectory(directory: string, action: (fd: number) => void): void {
  guarded(() => {
    const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      action(fd);
    } finally {
      closeSync(fd);
    }
  }, directory);
}

function endsInNewline(fd: number, size: number): boolean {
  if (size === 0) return true;
  const last = Buffer.alloc(1);
  return readSync(fd, last, 0, 1, size - 1) === 1 && last[0] === 0x0a;
}

function toBytes(bytes: Uint8Array | string): Uint8Array {
  return typeof bytes === "string" ? Buffer.from(bytes) : bytes;
}
