/**
 * Kernel locks on files. A lock ends with its holder, however that ends, so none is ever stale and none needs breaking.
 * Lock files stay; one that somebody removed or replaced is noticed.
 */
import { closeSync, constants, fchmodSync, fstatSync, openSync, statSync } from "node:fs";
import { constants as osConstants } from "node:os";
import { CspError } from "../core/errors.ts";
import { flock, lockExclusive, lockShared, lockWithoutWaiting, systemError, unlock } from "./libc.ts";
import { clearHolder, describeHolder, type LockHolder, readHolder, writeHolder } from "./lock-holder.ts";
import { guarded, osCode, quotedPath } from "./os-error.ts";

/** What is asked of a lock file. */
export interface LockRequest {
  mode: "shared" | "exclusive";
  /** For the messages of those who wait: `csp install`. */
  purpose: string;
  /** Milliseconds since 1970; only ever shown, never compared. */
  now: () => number;
  /**
   * Permission bits of a lock file that is not there yet, whatever the umask: 0600 (default), because whoever can read
   * the file can hold the lock; 0644 for leases, which other users take.
   */
  fileMode?: number;
}

/** A request that may wait. */
export interface LockWaitRequest extends LockRequest {
  wait: {
    /** Total of the pauses between attempts, so that no change of the clock stretches or cuts it. 0: one attempt. */
    timeoutMs: number;
    /** How long to wait in silence before `onWait`; 250 by default. */
    noticeMs?: number;
  };
  /** Told once, when the wait is longer than a moment. */
  onWait?: (holder: LockHolder | undefined) => void;
  /** Ends the wait, within 50 ms, by throwing its reason. */
  signal?: AbortSignal;
}

/** A lock that is held. */
export interface Lock {
  /** Of a shared lock, it may be given to a child (`stdio: [..., fd]`), which then holds the lock as long as it lives. */
  readonly fd: number;
  readonly path: string;
  /** Gives the lock up; children that inherited a shared one keep it. Calling it again does nothing. */
  release(): void;
}

/**
 * Takes the lock if that is possible at once; undefined if somebody holds it in a way that excludes this.
 * A shared lock needs no write permission if the file exists, so it works on a read-only mount.
 * Throws CSP_READ_ONLY, CSP_IO, …, or CSP_LOCKS_UNSUPPORTED where the file system has no locks.
 */
export function tryLock(path: string, request: LockRequest): Lock | undefined {
  return guarded(() => {
    for (;;) {
      const fd = openLockFile(path, request);
      let kept = false;
      try {
        if (!lockOpenFile(fd, path, request.mode)) return undefined;
        if (!isFileAt(fd, path)) continue;
        if (request.mode === "exclusive") writeHolder(fd, request.purpose, request.now());
        kept = true;
        return heldLock(fd, path, request.mode);
      } finally {
        if (!kept) closeSync(fd);
      }
    }
  }, path);
}

/**
 * True if nobody holds the lock in any way, or the file is not there. Looks by taking it for a moment, which needs no
 * write permission; whoever asks for it in that moment finds it taken.
 */
export function isLockFree(path: string): boolean {
  return guarded(() => {
    let fd: number;
    try {
      fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    } catch (error) {
      if (osCode(error) === "ENOENT") return true;
      throw error;
    }
    try {
      return lockOpenFile(fd, path, "exclusive");
    } finally {
      closeSync(fd);
    }
  }, path);
}

/** Takes the lock, waiting for it as allowed. Throws CSP_LOCK_TIMEOUT, which names the holder, and what `tryLock` throws. */
export async function acquireLock(path: string, request: LockWaitRequest): Promise<Lock> {
  const { timeoutMs, noticeMs = 250 } = request.wait;
  let waited = 0;
  let told = false;
  for (let pause = 1; ; pause = Math.min(pause * 2, 50)) {
    request.signal?.throwIfAborted();
    const lock = tryLock(path, request);
    if (lock) return lock;
    if (waited >= timeoutMs) throw lockTimeout(path, timeoutMs, request.purpose);
    if (!told && waited >= noticeMs) {
      told = true;
      request.onWait?.(readHolder(path));
    }
    const next = Math.min(pause, timeoutMs - waited);
    await sleep(next);
    waited += next;
  }
}

/** Creates a lock file that others are to find, with exactly these permission bits; does nothing if it is there. */
export function createLockFile(path: string, mode: number): void {
  guarded(() => {
    try {
      const fd = openSync(path, constants.O_RDONLY | constants.O_CREAT | constants.O_EXCL, mode);
      try {
        fchmodSync(fd, mode);
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      if (osCode(error) !== "EEXIST") throw error;
    }
  }, path);
}

/** Locks an open file without waiting; false if somebody else's lock excludes it. */
export function lockOpenFile(fd: number, path: string, mode: LockRequest["mode"]): boolean {
  const { EWOULDBLOCK, ENOSYS, EOPNOTSUPP, ENOLCK, EINVAL } = osConstants.errno;
  const errno = flock(fd, (mode === "shared" ? lockShared : lockExclusive) | lockWithoutWaiting);
  if (errno === 0) return true;
  if (errno === EWOULDBLOCK) return false;
  const cause = systemError(errno, "flock", path);
  if (![ENOSYS, EOPNOTSUPP, ENOLCK, EINVAL].includes(errno)) throw cause;
  throw new CspError("CSP_LOCKS_UNSUPPORTED", {
    message: `the file system of ${quotedPath(path)} refuses kernel locks`,
    hint: "name a data directory on a local disk with `--data-dir`",
    cause,
  });
}

/** True if the open file is still the one of that name: a lock on a removed file excludes nobody. */
export function isFileAt(fd: number, path: string): boolean {
  const named = statSync(path, { throwIfNoEntry: false });
  const open = fstatSync(fd);
  return named !== undefined && named.ino === open.ino && named.dev === open.dev;
}

function openLockFile(path: string, request: LockRequest): number {
  const access = request.mode === "shared" ? constants.O_RDONLY : constants.O_RDWR;
  for (;;) {
    try {
      // Without O_CREAT first: a sticky directory refuses that for another user's file.
      return openSync(path, access | constants.O_NOFOLLOW);
    } catch (error) {
      if (osCode(error) !== "ENOENT") throw error;
    }
    createLockFile(path, request.fileMode ?? 0o600);
  }
}

function heldLock(fd: number, path: string, mode: LockRequest["mode"]): Lock {
  let released = false;
  return {
    fd,
    path,
    release() {
      if (released) return;
      released = true;
      if (mode === "exclusive") {
        clearHolder(fd);
        // A program that was just started has this file open for a moment more, until its exec is through.
        flock(fd, unlock);
      }
      // For a shared lock nothing else: unlocking would take it from a script that inherited it.
      closeSync(fd);
    },
  };
}

function lockTimeout(path: string, timeoutMs: number, purpose: string): CspError {
  const holder = readHolder(path);
  return new CspError("CSP_LOCK_TIMEOUT", {
    message: `${quotedPath(path)} is held by ${describeHolder(holder)}`,
    details: [`waited ${timeoutMs / 1000} s for it`],
    hint: `run \`${purpose}\` again when ${holder ? `process ${holder.pid}` : "the other csp"} has ended`,
    data: { path, holder },
  });
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
