/** Building what a host lacks, in the staging area: fetched, hashed, unpacked and linked, all overlapping. */
import { join } from "node:path";
import { CspError } from "../core/errors.ts";
import { createLimiter, forEachLimited } from "../core/limiter.ts";
import { formatSize } from "../core/quantity.ts";
import type { InstanceJob } from "../tree/instance.ts";
import { blobPath, type HostPaths, hostPaths } from "../tree/layout.ts";
import { createPool } from "../tree/pool.ts";
import type { Staging } from "../tree/staging.ts";
import type { Context } from "./context.ts";
import type { BlobPlan, HostPlan } from "./host-plan.ts";
import type { BlobSource } from "./source.ts";

/** What was built. */
export interface Staged {
  fetched: number;
  fetchedBytes: number;
  instances: number;
  files: number;
}

/** Simultaneous downloads, and the compressed bytes that may wait in memory between the network and the workers. */
const downloads = 32;
const bytesInFlight = 24 * 1024 * 1024;
/** What a download of unknown size counts for. */
const assumedSize = 1024 * 1024;
/** With fewer jobs than this, workers cost more than they give. */
const workerThreshold = 12;

/** Fetches, checks, unpacks and links every missing instance, all overlapping. */
export async function stageInstances(
  ctx: Context,
  plan: HostPlan,
  source: BlobSource,
  staging: Staging,
): Promise<Staged> {
  const outcome: Staged = { fetched: 0, fetchedBytes: 0, instances: 0, files: 0 };
  const paths = hostPaths(ctx.dataRoot);
  const memory = createLimiter(downloads, bytesInFlight);
  const pool = createPool("build", plan.blobs.length < workerThreshold ? 0 : ctx.cores);
  const links: string[] = [];
  const budget = createBudget(plan);
  let done = 0;
  const build = async (blob: BlobPlan, bytes: Uint8Array | undefined): Promise<void> => {
    const result = await pool.run(jobOf(paths, staging, blob, bytes !== undefined), bytes);
    outcome.instances += blob.instances.length;
    outcome.files += result.files;
    if (result.skippedLinks.length > 0) links.push(`${blob.name}@${blob.version}`);
    ctx.progress({
      phase: "fetch",
      done: ++done,
      total: plan.blobs.length,
      bytes: outcome.fetchedBytes,
      totalBytes: plan.fetchBytes,
    });
  };
  // The largest first: what takes longest must not start last.
  const order = [...plan.blobs].sort((a, b) => (b.size ?? assumedSize) - (a.size ?? assumedSize));
  try {
    await forEachLimited(order, downloads, async (blob) => {
      ctx.signal.throwIfAborted();
      if (blob.cached || blob.donor !== undefined) return build(blob, undefined);
      await memory.run(blob.size ?? assumedSize, async () => {
        const bytes = await source(blob, { maxBytes: budget.left(blob) });
        budget.spend(blob, bytes.length);
        outcome.fetched++;
        outcome.fetchedBytes += bytes.length;
        await build(blob, bytes);
      });
    });
  } finally {
    pool.close();
  }
  if (links.length > 0) {
    ctx.warn({
      code: "CSP_WARN_TARBALL_LINK",
      message: `links inside archives were left out, as npm does: ${links.sort().join(", ")}`,
    });
  }
  return outcome;
}

function jobOf(paths: HostPaths, staging: Staging, blob: BlobPlan, fetched: boolean): InstanceJob {
  return {
    digest: blob.digest,
    name: blob.name,
    version: blob.version,
    cached: blob.cached ? blobPath(paths, blob.digest) : undefined,
    stageBlob: fetched ? join(staging.blobs, blob.digest) : undefined,
    donor: blob.donor,
    instances: blob.instances.map((plan) => ({ staged: join(staging.packages, plan.id), plan })),
  };
}

/** Keeps downloads of unknown size within `sizeCap.block`: what would pass it is refused before its bytes are read. */
function createBudget(plan: HostPlan): { left(blob: BlobPlan): number; spend(blob: BlobPlan, bytes: number): void } {
  const cap = plan.sizeCap;
  let total = plan.totalBytes;
  return {
    left(blob) {
      if (blob.size !== undefined) return blob.size;
      return cap === undefined ? Number.POSITIVE_INFINITY : cap - total;
    },
    spend(blob, bytes) {
      if (blob.size !== undefined) return;
      total += bytes;
      if (cap === undefined || total <= cap) return;
      throw new CspError("CSP_SIZE_CAP", {
        message: `with \`${blob.name}@${blob.version}\` the packages pass the ${formatSize(cap)} of \`sizeCap.block\``,
        hint: "remove a package with `csp remove`, or raise `sizeCap.block` in the allowlist",
      });
    },
  };
}
