/** The C library calls that Bun's fs has not: flock, syncfs, renames with flags. Each library handle opens at first use. */
import { dlopen, type FFIFunction, type Pointer, read } from "bun:ffi";
import { constants } from "node:os";
import { CspError } from "../core/errors.ts";

/** Operations of `flock`, to be combined with `|`. */
export const lockShared = 1;
export const lockExclusive = 2;
export const lockWithoutWaiting = 4;
export const unlock = 8;

/** Takes or converts the kernel lock of an open file. Returns 0 or the errno. */
export function flock(fd: number, operation: number): number {
  const libc = withFlock();
  return libc.symbols.flock(fd, operation) === 0 ? 0 : lastErrno();
}

/**
 * Writes all of a file system to the device, given any open file on it, and waits for that. Returns 0 or the errno.
 * macOS has no syncfs: there `sync` starts the writes, and the caller's fsync of the directory must flush the device.
 */
export function syncfs(fd: number): number {
  if (process.platform === "linux") return withSyncfs().symbols.syncfs(fd) === 0 ? 0 : lastErrno();
  withSync().symbols.sync();
  return 0;
}

/**
 * Renames unless the new name exists (`keep`: EEXIST), or swaps two names (`exchange`). Returns 0 or the errno;
 * EINVAL and ENOSYS mean that the file system or kernel cannot do it.
 */
export function renameWith(rule: "keep" | "exchange", from: string, to: string): number {
  const [source, target] = [cString(from), cString(to)];
  if (process.platform === "darwin") {
    const flags = rule === "keep" ? 4 : 2;
    return withRenamex().symbols.renamex_np(source, target, flags) === 0 ? 0 : lastErrno();
  }
  const call = renameat2Numbers[process.arch];
  if (call === undefined) return constants.errno.ENOSYS;
  const flags = rule === "keep" ? 1 : 2;
  const result = withSyscall().symbols.syscall(call, currentDirectory, source, currentDirectory, target, flags);
  return result === 0 ? 0 : lastErrno();
}

/** An error of the shape that node:fs throws, for an errno that a call above returned. */
export function systemError(errno: number, syscall: string, path: string): Error {
  const code = Object.entries(constants.errno).find(([, value]) => value === errno)?.[0] ?? `E${errno}`;
  return Object.assign(new Error(`${code}: ${syscall} '${path}'`), { code, errno: -errno, syscall, path });
}

const currentDirectory = -100;
/** By number, because musl got a wrapper late. The numbers are kernel ABI. */
const renameat2Numbers: Readonly<Record<string, number>> = { x64: 316, arm64: 276 };

const errnoSymbol = process.platform === "darwin" ? "__error" : "__errno_location";
const errnoPointer = once(() => {
  const { symbols } = open({ [errnoSymbol]: { args: [], returns: "ptr" } });
  return symbols[errnoSymbol]?.() as Pointer;
});
const withFlock = once(() => open({ flock: { args: ["i32", "i32"], returns: "i32" } }));
const withSyncfs = once(() => open({ syncfs: { args: ["i32"], returns: "i32" } }));
const withSync = once(() => open({ sync: { args: [], returns: "void" } }));
const withRenamex = once(() => open({ renamex_np: { args: ["ptr", "ptr", "u32"], returns: "i32" } }));
const withSyscall = once(() => open({ syscall: { args: ["i64", "i64", "ptr", "i64", "ptr", "i64"], returns: "i32" } }));

/** Read straight from memory: a second foreign call could overwrite it. */
function lastErrno(): number {
  return read.i32(errnoPointer(), 0);
}

/**
 * bun tries a bare name in the working directory when the loader does not find it, so no name may stand here that
 * can be missing: glibc has libc.so.6 loaded already, and musl takes any `libc.` name for itself.
 */
function open<T extends Record<string, FFIFunction>>(symbols: T) {
  switch (process.platform) {
    case "linux":
      return dlopen("libc.so.6", symbols);
    case "darwin":
      return dlopen("/usr/lib/libSystem.B.dylib", symbols);
    default:
      throw new CspError("CSP_LOCKS_UNSUPPORTED", {
        message: `csp has no kernel locks on \`${process.platform}\``,
        hint: "run csp on Linux or macOS",
      });
  }
}

function cString(path: string): Buffer {
  if (path.includes("\0")) throw systemError(constants.errno.EINVAL, "rename", path.replaceAll("\0", ""));
  return Buffer.from(`${path}\0`);
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
