/** What the operating system refuses in a store that is a directory. */
import { CspError } from "../../core/errors.ts";
import { describeOsError, osCode } from "../../fs/os-error.ts";
import { denied, lastingAnswer, readOnly, unreachable } from "../failures.ts";

/** What to throw for `error`, which passes as it is where it is none of the operating system's. */
export function fileFailure(address: string, error: unknown, doing: "read" | "write"): unknown {
  const code = osCode(error);
  if (code === undefined || error instanceof CspError) return error;
  switch (code) {
    case "EROFS":
      return readOnly(address, "it is on a file system that is mounted read-only");
    case "EACCES":
    case "EPERM":
      return doing === "write"
        ? readOnly(address, "this user may not write there")
        : denied(
            address,
            "be read by this user",
            "run csp as a user who may read that directory, or open it with `chmod`",
          );
    case "ELOOP":
    case "ENOTDIR":
    case "EISDIR":
    case "ENXIO":
      return lastingAnswer(address, `has something else where csp keeps a file or a directory (${code})`);
    case "ENOSPC":
    case "EDQUOT":
    case "EFBIG":
    case "EMFILE":
    case "ENFILE":
    case "ENAMETOOLONG":
      return describeOsError(error);
    default:
      // Mostly network file systems: ESTALE, EIO, ETIMEDOUT, ENOTCONN, EHOSTDOWN.
      return unreachable(
        address,
        `failed to ${doing} a file (${code})`,
        "look at the mount and the disk, then try again",
        error,
      );
  }
}

/** Runs the action; what the operating system refuses is thrown as `fileFailure` says it. */
export async function fileGuarded<T>(address: string, doing: "read" | "write", action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw fileFailure(address, error, doing);
  }
}
