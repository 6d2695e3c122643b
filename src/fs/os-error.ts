/** What the operating system refused, in words a user can act on. */
import type { Code } from "../core/codes.ts";
import { CspError, isCspError } from "../core/errors.ts";

interface OsError {
  code: string;
  syscall?: string;
  path?: string;
  dest?: string;
}

interface Sense {
  code: Code;
  /** `place` is the back-quoted path. */
  message: (place: string, error: OsError) => string;
  hint?: string;
}

const freeSpace = "free some space there, for example with `csp gc`, then run the same command again";
const permissions = "run csp as the owner of that place, or change its permissions";

const senses: Readonly<Record<string, Sense>> = {
  ENOSPC: { code: "CSP_DISK_FULL", message: (place) => `no space or no inode is left at ${place}`, hint: freeSpace },
  EDQUOT: { code: "CSP_DISK_FULL", message: (place) => `the disk quota is used up at ${place}`, hint: freeSpace },
  EROFS: {
    code: "CSP_READ_ONLY",
    message: (place) => `${place} is on a file system that is mounted read-only`,
    hint: "mount it writable, or name another place with `--data-dir`",
  },
  EACCES: { code: "CSP_READ_ONLY", message: (place) => `this user is not allowed to use ${place}`, hint: permissions },
  EPERM: { code: "CSP_READ_ONLY", message: (place) => `this user may not change ${place}`, hint: permissions },
  EMFILE: {
    code: "CSP_IO",
    message: (place) => `this process may not open more files, so ${place} could not be opened`,
    hint: "raise the limit with `ulimit -n 4096`, then run the same command again",
  },
  ENFILE: {
    code: "CSP_IO",
    message: (place) => `the system has no file handles left, so ${place} could not be opened`,
    hint: "end other programs, or raise the limit with `sysctl fs.file-max`",
  },
  EIO: {
    code: "CSP_IO",
    message: (place) => `the device failed at ${place}`,
    hint: "look for disk errors with `dmesg`; nothing was taken as written",
  },
  EFBIG: {
    code: "CSP_IO",
    message: (place) => `${place} would be larger than the file system or \`ulimit -f\` allows`,
    hint: "raise the limit with `ulimit -f unlimited`",
  },
  EXDEV: {
    code: "CSP_IO",
    message: (place, error) =>
      error.dest ? `${place} and ${quotedPath(error.dest)} are on different file systems` : `${place} is a mount point`,
    hint: "keep the whole data directory on one file system",
  },
  ENOENT: { code: "CSP_IO", message: (place) => `${place} does not exist` },
  ENOTDIR: { code: "CSP_IO", message: (place) => `a part of ${place} is not a directory` },
  EISDIR: { code: "CSP_IO", message: (place) => `${place} is a directory where a file is expected` },
  EEXIST: { code: "CSP_IO", message: (place) => `${place} exists already` },
  ENOTEMPTY: { code: "CSP_IO", message: (place) => `the directory ${place} is not empty` },
  ELOOP: { code: "CSP_IO", message: (place) => `${place} is a symbolic link that cannot be followed here` },
  ENAMETOOLONG: { code: "CSP_IO", message: (place) => `the path ${place} is too long for the file system` },
  EBUSY: { code: "CSP_IO", message: (place) => `${place} is in use by the system, for example as a mount point` },
  ESTALE: {
    code: "CSP_IO",
    message: (place) => `the server of a network file system no longer knows ${place}`,
    hint: "mount that file system again",
  },
};

/**
 * The error to show for one of the operating system; undefined for any other value, which is then a defect and
 * passes as it is. `path` wins over the path in the error. `data` has `os` (the code, `ENOSPC`), `path`, `syscall`.
 */
export function describeOsError(error: unknown, path?: string): CspError | undefined {
  if (!isOsError(error)) return undefined;
  const where = path ?? error.path;
  const place = where === undefined ? "a file" : quotedPath(where);
  const sense = senses[error.code];
  return new CspError(sense?.code ?? "CSP_IO", {
    message: sense
      ? sense.message(place, error)
      : `\`${error.syscall ?? "a file operation"}\` of ${place} failed with ${error.code}`,
    ...(sense?.hint === undefined ? {} : { hint: sense.hint }),
    data: { os: error.code, path: where, syscall: error.syscall },
    cause: error,
  });
}

/** Runs the action; what the operating system refuses is thrown as `describeOsError` says it. */
export function guarded<T>(action: () => T, path?: string): T {
  try {
    return action();
  } catch (error) {
    throw describeOsError(error, path) ?? error;
  }
}

/** `ENOENT` and the like, of an error as thrown by node:fs or as described here; undefined for any other value. */
export function osCode(error: unknown): string | undefined {
  if (isCspError(error)) return typeof error.data.os === "string" ? error.data.os : undefined;
  return isOsError(error) ? error.code : undefined;
}

/**
 * The error to show where the device failed, or where nobody knows whether it has what it should; undefined for any other
 * value. Not to be tried again: a second sync succeeds although what the first one should have kept is lost.
 */
export function deviceFailure(thrown: unknown): CspError | undefined {
  const error = isCspError(thrown) ? thrown : describeOsError(thrown);
  const os = osCode(error);
  const { syscall } = error?.data ?? {};
  return os === "EIO" || (os !== undefined && (syscall === "fsync" || syscall === "syncfs")) ? error : undefined;
}

/** The path in back-quotes, whole, without characters that a terminal would act on. */
export function quotedPath(path: string): string {
  const visible = path.replace(/[\u0000-\u001f\u007f-\u009f`\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]/g, "?");
  return `\`${visible.toWellFormed()}\``;
}

function isOsError(error: unknown): error is Error & OsError {
  if (!(error instanceof Error) || !("code" in error) || !("syscall" in error || "errno" in error)) return false;
  return typeof error.code === "string" && /^E[A-Z0-9]+$/.test(error.code);
}
