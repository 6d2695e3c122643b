/** Bringing blobs back into the cache. A damaged one leaves only when a good one takes its place. */
import { chmodSync, closeSync, mkdirSync, openSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Allowlist } from "../../core/allowlist.ts";
import { parseAllowlist } from "../../core/allowlist.ts";
import { isCspError } from "../../core/errors.ts";
import type { Digest } from "../../core/integrity.ts";
import { createLimiter, forEachLimited } from "../../core/limiter.ts";
import type { InstancePlan } from "../../core/tree-plan.ts";
import { syncDirectory, syncFileSystem, writeAll } from "../../fs/durable.ts";
import { readCurrent } from "../../tree/current.ts";
import { blobPath, type HostPaths } from "../../tree/layout.ts";
import { swapIn } from "../../tree/quarantine.ts";
import type { Context } from "../context.ts";

import { fileNames } from "../project.ts";
import { type BlobSource, installSource } from "../source.ts";
import { readText } from "../text.ts";

/** What became of the blobs asked for. */
export interface RestoredBlobs {
  /** Where the damaged one is now; undefined where there was none. */
  restored: Map<Digest, string | undefined>;
  /** Why the others could not be had. */
  lost: Map<Digest, string>;
}

const downloads = 16;
const bytesInFlight = 32 * 1024 * 1024;
const assumedSize = 1024 * 1024;
const largestBlob = 2 * 1024 ** 3;

/** Fetches, hashes, stages and swaps in. `scratch` is a folder on the same file system. */
export async function restoreBlobs(
  ctx: Context,
  paths: HostPaths,
  scratch: string,
  wanted: readonly InstancePlan[],
): Promise<RestoredBlobs> {
  const result: RestoredBlobs = { restored: new Map(), lost: new Map() };
  if (wanted.length === 0) return result;
  const folder = join(scratch, "blobs");
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const source = openSource(ctx, paths);
  const memory = createLimiter(downloads, bytesInFlight);
  const staged: Digest[] = [];
  let bytes = 0;
  await forEachLimited(wanted, downloads, (plan) =>
    memory.run(plan.size ?? assumedSize, async () => {
      ctx.signal.throwIfAborted();
      const got = await fetchBlob(source, plan);
      if (typeof got === "string") result.lost.set(plan.digest, got);
      else {
        stage(join(folder, plan.digest), got);
        staged.push(plan.digest);
        bytes += got.length;
      }
      const done = staged.length + result.lost.size;
      ctx.progress({ phase: "fetch", done, total: wanted.length, bytes, totalBytes: 0 });
    }),
  );
  ctx.signal.throwIfAborted();
  if (staged.length > 0) syncFileSystem(paths.root);
  for (const digest of staged) {
    const final = blobPath(paths, digest);
    if (mkdirSync(dirname(final), { recursive: true, mode: 0o755 }) !== undefined) syncDirectory(paths.cache);
    result.restored.set(digest, swapIn(paths, join(folder, digest), final, digest));
  }
  return result;
}

/** Gives a blob the permission bits that blobs have. */
export function adjustBlob(paths: HostPaths, digest: Digest): void {
  chmodSync(blobPath(paths, digest), 0o444);
}

/** The configured store, then the registry; opened at the first blob, so that a wrong configuration is why it cannot be had. */
function openSource(ctx: Context, paths: HostPaths): BlobSource {
  let source: BlobSource | undefined;
  return async (blob, limit) => {
    source ??= installSource(ctx, readSettings(ctx), readCurrent(paths) ?? "");
    return source(blob, limit);
  };
}

/** A host without an allowlist has its registry from the npm configuration. */
function readSettings(ctx: Context): Allowlist {
  return parseAllowlist(readText(ctx.project.allowlist) ?? "", fileNames(ctx).allowlist);
}

async function fetchBlob(source: BlobSource, plan: InstancePlan): Promise<Uint8Array | string> {
  try {
    const bytes = await source(plan, { maxBytes: plan.size ?? largestBlob });
    const digest = new Bun.CryptoHasher("sha512").update(bytes).digest("hex");
    if (digest === plan.digest) return bytes;
    return `the registry has other bytes for it (sha512 ${digest.slice(0, 16)}…)`;
  } catch (error) {
    if (isCspError(error)) return error.message;
    throw error;
  }
}

function stage(path: string, bytes: Uint8Array): void {
  const fd = openSync(path, "wx", 0o444);
  try {
    writeAll(fd, bytes);
  } finally {
    closeSync(fd);
  }
}
