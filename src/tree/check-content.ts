/** Compares one file on disk with content that comes in pieces, reading each byte once and holding none for long. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

export interface FileComparison {
  /** Permission bits, the upper ones included. */
  mode: number;
  /** `device:inode`, by which a file is known under all its names; undefined where the number is not exact. */
  inode: string | undefined;
  /** Bytes read so far. */
  read: number;
  /** What is wrong; undefined while nothing is. */
  problem: { reason: "content" | "size" | "type"; message: string } | undefined;
  /** Why it could not be read to the end. */
  error: unknown;
  /** The next content is `bytes[from, to)`. */
  next(bytes: Uint8Array, from: number, to: number): void;
  /** Closes the file; calling it again does nothing. */
  close(): void;
}

// Never follows a link, and never waits for a pipe that somebody put in a file's place.
const readOnly = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Opens a file that is to have `size` bytes; `buffer` is only used during the calls. Throws what the system refuses. */
export function compareFile(path: string, size: number, buffer: Buffer): FileComparison {
  const fd = openSync(path, readOnly);
  let open = true;
  let at = 0;
  const close = (): void => {
    if (open) closeSync(fd);
    open = false;
  };
  try {
    const stat = fstatSync(fd);
    const comparison: FileComparison = {
      mode: stat.mode & 0o7777,
      inode: Number.isSafeInteger(stat.ino) ? `${stat.dev}:${stat.ino}` : undefined,
      read: 0,
      problem: !stat.isFile()
        ? { reason: "type", message: "is no file" }
        : stat.size !== size
          ? { reason: "size", message: `has ${stat.size} bytes instead of ${size}` }
          : undefined,
      error: undefined,
      next(bytes, from, to) {
        if (this.problem !== undefined || this.error !== undefined) return;
        try {
          for (let done = from; done < to; ) {
            const got = readSync(fd, buffer, 0, Math.min(buffer.length, to - done), null);
            if (got === 0) {
              this.problem = { reason: "size", message: `ends after ${at} bytes instead of ${size}` };
              return;
            }
            this.read += got;
            if (buffer.compare(bytes, done, done + got, 0, got) !== 0) {
              const offset = at + firstDifference(buffer, bytes, done, got);
              this.problem = { reason: "content", message: `differs from the blob from byte ${offset} on` };
              return;
            }
            done += got;
            at += got;
          }
        } catch (error) {
          this.error = error;
        }
      },
      close,
    };
    return comparison;
  } catch (error) {
    close();
    throw error;
  }
}

function firstDifference(buffer: Uint8Array, bytes: Uint8Array, from: number, length: number): number {
  for (let i = 0; i < length; i++) if (buffer[i] !== bytes[from + i]) return i;
  return length;
}
