/**
 * The stamp: which bytes of the project's files led to the tree that is current. It only ever saves work: whoever finds
 * it missing, torn or different looks at everything.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import type { HostPaths } from "./layout.ts";

export interface Stamp {
  /** sha256 of the allowlist's bytes, of the lockfile's bytes, and of everything else that counts. */
  allowlist: string;
  lockfile: string;
  settings: string;
  tree: string;
}

/** sha256 in hexadecimal. */
export function stampHash(bytes: Uint8Array | string): string {
  return new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
}

export function readStamp(paths: HostPaths): Stamp | undefined {
  try {
    return JSON.parse(readFileSync(paths.stamp, "utf8")) as Stamp;
  } catch {
    return undefined;
  }
}

/** Not synced: a stamp that a power cut spoils is no stamp. A host that cannot keep one works without. */
export function writeStamp(paths: HostPaths, stamp: Stamp): void {
  try {
    const temporary = `${paths.stamp}.${process.pid}`;
    writeFileSync(temporary, `${JSON.stringify(stamp)}\n`);
    renameSync(temporary, paths.stamp);
  } catch {
    // the next command looks at everything
  }
}
