/** New names beside others, without clock or randomness. */
import { join } from "node:path";
import { osCode } from "./os-error.ts";

/**
 * Calls `create` with `<directory>/<prefix>-<pid>-<n>` for n = 0, 1, … until it does not fail with EEXIST, so `create`
 * must be a call that refuses an existing name. Living processes differ in their pid, and where they do not (other
 * containers, other hosts) the refusal settles it.
 */
export function createUnique<T>(directory: string, prefix: string, create: (path: string) => T): T {
  for (let n = 0; ; n++) {
    try {
      return create(join(directory, `${prefix}-${process.pid}-${n}`));
    } catch (error) {
      if (osCode(error) !== "EEXIST" || n > 100_000) throw error;
    }
  }
}
