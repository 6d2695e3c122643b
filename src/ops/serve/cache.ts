/**
 * Objects of another store in a directory of their own, for a server that stands between it and the hosts. What lies there is
 * compared with its digest at every use, so a crash or a spoiled disk costs a download and nothing else.
 */
import { mkdirSync, readdirSync, statSync, unlinkSync } from "node:fs";
import { readFile, rename, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, isDigest } from "../../core/integrity.ts";
import type { ObjectCache } from "../../store/cached.ts";

/**
 * Opens `<directory>/<hh>/<digest>`; what was used least lately goes when there are more than `maxBytes`. One server for a
 * directory: another would not see what this one counts, and both would keep too much, never too little. Throws what the file
 * system throws.
 */
export function openServeCache(directory: string, maxBytes: number): ObjectCache {
  const temporary = join(directory, "tmp");
  mkdirSync(temporary, { recursive: true });
  for (const name of readdirSync(temporary)) unlinkSync(join(temporary, name));
  const sizes = scan(directory);
  let total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  let serial = 0;
  const pathOf = (digest: Digest): string => join(directory, digest.slice(0, 2), digest);
  const forget = (digest: Digest): void => {
    total -= sizes.get(digest) ?? 0;
    sizes.delete(digest);
  };

  return {
    async get(digest) {
      const size = sizes.get(digest);
      if (size === undefined) return undefined;
      // The order of the map is the order of use.
      sizes.delete(digest);
      sizes.set(digest, size);
      try {
        const bytes = await readFile(pathOf(digest));
        return new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength).slice();
      } catch {
        forget(digest);
        return undefined;
      }
    },
    async put(digest, bytes) {
      if (bytes.byteLength > maxBytes / 2) return;
      const staged = join(temporary, String(serial++));
      try {
        await writeFile(staged, bytes);
        mkdirSync(join(directory, digest.slice(0, 2)), { recursive: true });
        await rename(staged, pathOf(digest));
      } catch (error) {
        await unlink(staged).catch(() => {});
        throw error;
      }
      forget(digest);
      sizes.set(digest, bytes.byteLength);
      total += bytes.byteLength;
      for (const [oldest] of sizes) {
        if (total <= maxBytes) break;
        forget(oldest);
        await unlink(pathOf(oldest)).catch(() => {});
      }
    },
  };
}

/** What is there, the longest unused first. */
function scan(directory: string): Map<Digest, number> {
  const found: { digest: Digest; size: number; used: number }[] = [];
  for (const folder of readdirSync(directory)) {
    if (!/^[0-9a-f]{2}$/.test(folder)) continue;
    for (const digest of readdirSync(join(directory, folder))) {
      const stat = isDigest(digest) ? statSync(join(directory, folder, digest), { throwIfNoEntry: false }) : undefined;
      if (stat?.isFile()) found.push({ digest, size: stat.size, used: Math.max(stat.atimeMs, stat.mtimeMs) });
    }
  }
  return new Map(found.sort((a, b) => a.used - b.used).map(({ digest, size }) => [digest, size]));
}
