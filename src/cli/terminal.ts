/**
 * The three standard streams. Bun makes `process.stdout` and `node:tty` at first use, which takes longer than most
 * commands, so both are left alone where a file's kind says enough.
 */
import { fstatSync, writeSync } from "node:fs";

/** /dev/null on Linux, the character device that is most often met. */
const nullDevice = 0x103;

/** True where this file descriptor is a terminal. */
export function isTerminal(fd: 0 | 1 | 2): boolean {
  try {
    const stat = fstatSync(fd);
    if (!stat.isCharacterDevice() || stat.rdev === nullDevice) return false;
  } catch {
    return false;
  }
  return (fd === 0 ? process.stdin : fd === 1 ? process.stdout : process.stderr).isTTY === true;
}

/** Writes the result. A reader that went away is no failure: what it wanted to read, it has read. */
export async function writeResult(text: string): Promise<void> {
  try {
    await Bun.write(Bun.stdout, text);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPIPE") throw error;
  }
}

/** Writes a message, at once and whole; messages that nobody can read any more are dropped. */
export function writeMessage(text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(2, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return;
      Bun.sleepSync(1);
    }
  }
}
