/**
 * Reading and writing files that others share, perhaps over a network, and may have spoiled. Whole files only: a name is
 * given to a file when it is complete and on the device. Errors are those of the operating system.
 */
import { constants } from "node:fs";
import { type FileHandle, link, lstat, open, rename, unlink } from "node:fs/promises";
import { hostname } from "node:os";
import { renameWith, systemError } from "../../fs/libc.ts";
import { osCode } from "../../fs/os-error.ts";
import { randomNonce } from "../store.ts";

/** Of a regular file. */
export interface FileFacts {
  size: number;
  /** Milliseconds, with fractions. */
  modified: number;
}

/** "other" for what is no regular file, undefined where nothing is. */
export async function factsOf(path: string): Promise<FileFacts | "other" | undefined> {
  try {
    const stat = await lstat(path);
    return stat.isFile() ? { size: stat.size, modified: stat.mtimeMs } : "other";
  } catch (error) {
    if (osCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * The bytes of a regular file of at most `maxBytes`, in an ArrayBuffer of its own. Links are not followed, and a pipe or
 * device is not waited for.
 */
export async function readRegular(
  path: string,
  maxBytes: number,
): Promise<Uint8Array | "absent" | "other" | "too long"> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (osCode(error) === "ENOENT") return "absent";
    if (osCode(error) === "ELOOP" || osCode(error) === "ENXIO") return "other";
    throw error;
  }
  try {
    const stat = await file.stat();
    if (!stat.isFile()) return "other";
    if (stat.size > maxBytes) return "too long";
    const bytes = new Uint8Array(stat.size);
    let length = 0;
    while (length < bytes.length) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return length === bytes.length ? bytes : bytes.slice(0, length);
  } finally {
    await file.close();
  }
}

const temporaryName = /^[A-Za-z0-9.-]{1,64}-\d+-[0-9a-f]{32}$/;

/** True for the last parts of what `temporaryPath` gives. */
export function isTemporaryName(name: string): boolean {
  return temporaryName.test(name);
}

/** A name that nobody has: drawn, so that no two hosts ever meet, with host and process for people. */
export async function temporaryPath(directory: string): Promise<string> {
  const host =
    hostname()
      .replace(/[^A-Za-z0-9.-]/g, "")
      .slice(0, 60) || "host";
  return `${directory}/${host}-${process.pid}-${await randomNonce()}`;
}

/** A new file in `directory` with these bytes, on the device where `durable`. On failure nothing is left. */
export async function writeTemporary(directory: string, bytes: Uint8Array, durable = true): Promise<string> {
  const path = await temporaryPath(directory);
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const file = await open(path, flags, 0o644);
  try {
    try {
      for (let offset = 0; offset < bytes.length; ) {
        offset += (await file.write(bytes, offset, bytes.length - offset, offset)).bytesWritten;
      }
      if (durable) await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    await removeFile(path);
    throw error;
  }
  return path;
}

/** How a file gets a second name; replaced only by tests that let it fail. */
export type Link = (existing: string, path: string) => Promise<void>;

/**
 * Gives a temporary file its name, durably, unless that name exists; the temporary name goes in any case. "unsupported":
 * this file system cannot do that in one step, and nothing changed.
 */
export async function publishFile(
  temporary: string,
  path: string,
  linkFile: Link = link,
): Promise<"made" | "exists" | "unsupported"> {
  let outcome: "made" | "exists" | "unsupported";
  try {
    outcome = await giveName(temporary, path, linkFile);
  } finally {
    await removeFile(temporary);
  }
  // Also where it exists: whoever made it may not have come to this line.
  if (outcome !== "unsupported") await syncDirectoryOf(path);
  return outcome;
}

async function giveName(temporary: string, path: string, linkFile: Link): Promise<"made" | "exists" | "unsupported"> {
  try {
    await linkFile(temporary, path);
    return "made";
  } catch (error) {
    // Over a network the link may have been made and its answer lost; a repeated request then finds the name taken.
    if ((await namesOf(temporary)) === 2) return "made";
    const code = osCode(error) ?? "";
    if (code === "EEXIST") return "exists";
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes(code)) throw error;
    return renameNew(temporary, path);
  }
}

/** For file systems without hard links, which are local ones. */
function renameNew(temporary: string, path: string): "made" | "exists" | "unsupported" {
  const errno = renameWith("keep", temporary, path);
  if (errno === 0) return "made";
  const error = systemError(errno, "renameat2", path);
  const code = osCode(error) ?? "";
  if (code === "EEXIST") return "exists";
  if (["EINVAL", "ENOSYS", "ENOTSUP", "EOPNOTSUPP"].includes(code)) return "unsupported";
  throw error;
}

/** Through an open file, because a network file system asks its server when a file is opened. */
async function namesOf(path: string): Promise<number> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    return (await file.stat()).nlink;
  } finally {
    await file.close();
  }
}

/** Gives a temporary file its name, in place of what had it. */
export async function replaceWith(temporary: string, path: string): Promise<void> {
  try {
    await rename(temporary, path);
  } catch (error) {
    await removeFile(temporary);
    throw error;
  }
}

/** Makes the names in the directory of this path durable. */
export async function syncDirectoryOf(path: string): Promise<void> {
  const directory = await open(path.slice(0, path.lastIndexOf("/")) || "/", constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await directory.sync();
  } catch (error) {
    // Some network file systems have no sync of a directory; their names go to the server at once.
    if (osCode(error) !== "EINVAL") throw error;
  } finally {
    await directory.close();
  }
}

/** Removes a name that may be gone already. */
export async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (osCode(error) !== "ENOENT") throw error;
  }
}
