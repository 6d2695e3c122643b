/** Takes away what crashed writers left in the `tmp/` of a store that is a directory. */
import { lstat, readdir } from "node:fs/promises";
import { osCode } from "../../fs/os-error.ts";
import { isTemporaryName, removeFile, writeTemporary } from "./io.ts";

const dayMs = 24 * 60 * 60 * 1000;

/**
 * Removes temporary files that nobody wrote to for a day by the clock of the file system itself, as a file made just now
 * shows it: hosts that share it need not agree on the time. One that cannot be removed, perhaps another user's, stays.
 */
export async function removeAbandoned(directory: string): Promise<void> {
  const own = await writeTemporary(directory, new Uint8Array(), false);
  try {
    const { mtimeMs: now } = await lstat(own);
    for (const name of await readdir(directory)) {
      if (isTemporaryName(name)) await removeIfOlder(`${directory}/${name}`, now - dayMs);
    }
  } finally {
    await removeFile(own);
  }
}

async function removeIfOlder(path: string, limit: number): Promise<void> {
  try {
    const stat = await lstat(path);
    if (stat.isFile() && stat.mtimeMs < limit) await removeFile(path);
  } catch (error) {
    if (osCode(error) === undefined) throw error;
  }
}
