/** Compares one file on disk with content that comes in pieces, reading each byte once and holding none for long. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

export interface FileComparison {
  /** Undefined once it is closed. */
  fd: number | undefined;
  /** Bytes that the file should have. */
  size: number;
  /** Permission bits, the upper ones included. */
  mode: number;
  /** By which a file is known under all its names. */
  device: number;
  inode: number;
  /** Bytes read so far. */
  read: number;
  /** What is wrong; undefined while nothing is. */
  problem: { reason: "content" | "size" | "type"; message: string } | undefined;
  /** Why it could not be read to the end. */
  error: unknown;
}

// Never follows a link, and never waits for a pipe that somebody put in a file's place.
const readOnly = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Opens a file that is to have `size` bytes; to be closed by `endComparison`. Throws what the system refuses. */
export function beginComparison(path: string, size: number): FileComparison {
  const fd = openSync(path, readOnly);
  try {
    const stat = fstatSync(fd);
    let problem: FileComparison["problem"];
    if (!stat.isFile()) problem = { reason: "type", message: "is no file" };
    else if (stat.size !== size) problem = { reason: "size", message: `has ${stat.size} bytes instead of ${size}` };
    const { mode, dev, ino } = stat;
    return { fd, size, mode: mode & 0o7777, device: dev, inode: ino, read: 0, problem, error: undefined };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** The next content is `bytes[from, to)`; `buffer` is only used during the call. */
export function continueComparison(
  file: FileComparison,
  bytes: Uint8Array,
  from: number,
  to: number,
  buffer: Buffer,
): void {
  if (file.problem !== undefined || file.error !== undefined || file.fd === undefined) return;
  try {
    for (let done = from; done < to; ) {
      const got = readSync(file.fd, buffer, 0, Math.min(buffer.length, to - done), null);
      if (got === 0) {
        file.problem = { reason: "size", message: `ends after ${file.read} bytes instead of ${file.size}` };
        return;
      }
      if (buffer.compare(bytes, done, done + got, 0, got) !== 0) {
        const at = file.read + firstDifference(buffer, bytes, done, got);
        file.problem = { reason: "content", message: `differs from the blob from byte ${at} on` };
      }
      file.read += got;
      if (file.problem !== undefined) return;
      done += got;
    }
  } catch (error) {
    file.error = error;
  }
}

/** Closes the file; calling it again does nothing. */
export function endComparison(file: FileComparison): void {
  if (file.fd !== undefined) closeSync(file.fd);
  file.fd = undefined;
}

function firstDifference(buffer: Uint8Array, bytes: Uint8Array, from: number, length: number): number {
  for (let i = 0; i < length; i++) if (buffer[i] !== bytes[from + i]) return i;
  return length;
}
