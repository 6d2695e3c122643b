/**
 * Stamps: which tree the bytes of a project's files led to, and what that tree looks like, so that the same files need not
 * be read, resolved and hashed again. They only ever save work: whoever finds none, or a torn one, looks at everything.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { descriptionFormat, type TreeDescription } from "./description.ts";
import type { HostPaths } from "./layout.ts";

/** How many stamps a host keeps; the oldest go first. */
const mostStamps = 16;

/** sha256 in hexadecimal. */
export function stampHash(bytes: Uint8Array | string): string {
  return new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
}

/** The description of the tree that a key led to, if that is known; `key` is what `stampHash` gives. */
export function readStamp(paths: HostPaths, key: string): TreeDescription | undefined {
  try {
    const description = JSON.parse(readFileSync(join(paths.stamps, key), "utf8")) as TreeDescription;
    return description.format === descriptionFormat ? description : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Not synced: a stamp that a power cut spoils is no stamp. A host that cannot keep one works without. Prepared in `tmp`,
 * where the collector finds what a crash leaves.
 */
export function writeStamp(paths: HostPaths, key: string, description: TreeDescription): void {
  try {
    mkdirSync(paths.stamps, { recursive: true, mode: 0o755 });
    const temporary = join(paths.tmp, `.stamp-${process.pid}`);
    try {
      writeFileSync(temporary, JSON.stringify(description));
      renameSync(temporary, join(paths.stamps, key));
    } catch (error) {
      unlinkSync(temporary);
      throw error;
    }
    forgetOldest(paths);
  } catch {
    // the next command looks at everything
  }
}

function forgetOldest(paths: HostPaths): void {
  const names = readdirSync(paths.stamps);
  if (names.length <= mostStamps) return;
  const aged = names.map((name) => ({ name, at: statSync(join(paths.stamps, name)).mtimeMs }));
  aged.sort((a, b) => b.at - a.at);
  for (const { name } of aged.slice(mostStamps)) unlinkSync(join(paths.stamps, name));
}
