/** Whether what an installation writes fits on the disk, asked before the first byte is fetched. */
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { CspError } from "../core/errors.ts";
import { formatSize } from "../core/quantity.ts";
import { freeSpace } from "../fs/free-space.ts";
import { quotedPath } from "../fs/os-error.ts";
import type { BlobPlan } from "./host-plan.ts";

/** Bytes that an installation will take. */
export interface SpaceNeeds {
  /** Of the blobs that are fetched, which stay in the cache. */
  download: number;
  /** Of the files that are unpacked: an estimate. */
  unpacked: number;
}

/** Content of an archive for each of its bytes. */
const unpackFactor = 4;
/** What a blob counts for whose size nobody knows: the mean of public packages. */
const assumedSize = 75_000;

/**
 * Estimates what is written for these blobs. The size of a blob is known from the lockfile, what it unpacks to is not:
 * 1,500 public packages, together, hold 4.1 times their size, and take 5.5 times on disk because files are rounded up to
 * blocks. 4 is used, so that a refusal is true far more often than not; what does not fit all the same ends in the same
 * error, only later. A blob in the cache is only unpacked, and one whose files another instance has is linked, for nothing.
 */
export function estimateNeeds(blobs: readonly Pick<BlobPlan, "size" | "cached" | "donor">[]): SpaceNeeds {
  const needs: SpaceNeeds = { download: 0, unpacked: 0 };
  for (const { size = assumedSize, cached, donor } of blobs) {
    if (donor !== undefined) continue;
    if (!cached) needs.download += size;
    needs.unpacked += size * unpackFactor;
  }
  return needs;
}

/**
 * Throws CSP_DISK_FULL where these needs would leave fewer than `minimumFree` bytes on the file system of `directory`,
 * which need not exist yet; `data` has `needed`, `free` and `minimumFree`. Who needs nothing is never refused. Quotas and
 * inodes are not looked at.
 */
export function requireSpace(directory: string, needs: SpaceNeeds, minimumFree: number): void {
  const needed = needs.download + needs.unpacked;
  if (needed === 0) return;
  const place = nearestExisting(directory);
  const free = freeSpace(place).bytes;
  if (free - needed >= minimumFree) return;
  const detail = `${formatSize(needs.download)} to download, about ${formatSize(needs.unpacked)} when unpacked`;
  const kept = `${formatSize(minimumFree)} are to stay free, as \`minimumFreeSpace\` says`;
  throw new CspError("CSP_DISK_FULL", {
    message: `this installation needs about ${formatSize(needed)}, and ${formatSize(free)} are free at ${quotedPath(place)}`,
    details: minimumFree > 0 ? [detail, kept] : [detail],
    hint: "run `csp gc` to remove what no tree needs, or free some space there; nothing was changed",
    data: { needed, free, minimumFree, ...needs, path: place },
  });
}

function nearestExisting(path: string): string {
  const parent = dirname(path);
  return existsSync(path) || parent === path ? path : nearestExisting(parent);
}
