/** Finds out whether locks can be trusted in a place, before anything relies on them. */
import { closeSync, constants, openSync, unlinkSync } from "node:fs";
import { CspError } from "../core/errors.ts";
import { freeSpace } from "./free-space.ts";
import { lockOpenFile } from "./lock.ts";
import { guarded, quotedPath } from "./os-error.ts";
import { createUnique } from "./unique-name.ts";

/** Their kernels emulate flock by other means, which a child process does not inherit. */
const withoutInheritedLocks = ["nfs", "cifs", "smb2"];

/**
 * Tries two locks that must exclude each other in this directory, which must be writable. Throws
 * CSP_LOCKS_UNSUPPORTED where they do not, and on network file systems, whose locks a script cannot inherit.
 */
export function probeLocks(directory: string): void {
  const { fileSystem } = freeSpace(directory);
  if (withoutInheritedLocks.includes(fileSystem))
    throw unsupported(directory, fileSystem, "are not inherited by scripts");
  guarded(() => {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
    const [path, one] = createUnique(directory, ".csp-probe", (name) => [name, openSync(name, flags, 0o600)]);
    const other = openSync(path, constants.O_RDWR);
    try {
      const excludes = lockOpenFile(one, path, "exclusive") && !lockOpenFile(other, path, "exclusive");
      if (!excludes) throw unsupported(directory, fileSystem, "do not exclude each other");
    } finally {
      closeSync(one);
      closeSync(other);
      unlinkSync(path);
    }
  }, directory);
}

function unsupported(directory: string, fileSystem: string, reason: string): CspError {
  return new CspError("CSP_LOCKS_UNSUPPORTED", {
    message: `locks in ${quotedPath(directory)} (${fileSystem}) ${reason}`,
    hint: "name a data directory on a local disk with `--data-dir`",
    data: { path: directory, fileSystem },
  });
}
