/**
 * Bringing a host to a plan. Everything is staged and synced before the first name appears; after that there are only
 * renames: blobs, instances, tree, then the project's files, then `current`.
 */
import { join } from "node:path";
import { CspError } from "../core/errors.ts";
import { createLimiter, forEachLimited } from "../core/limiter.ts";
import type { LockfileHash } from "../core/lockfile-hash.ts";
import { formatSize } from "../core/quantity.ts";
import { syncFileSystem, syncTree } from "../fs/durable.ts";
import { createScratch } from "../fs/scratch.ts";
import { hasTree } from "../tree/current.ts";
import type { InstanceJob } from "../tree/instance.ts";
import { blobPath, type HostPaths, hostPaths, instancePath } from "../tree/layout.ts";
import { createPool } from "../tree/pool.ts";
import { createStaging, publishStaged, type Staging } from "../tree/staging.ts";
import { stageTree } from "../tree/tree.ts";
import type { Context } from "./context.ts";
import type { BlobPlan, HostPlan } from "./host-plan.ts";
import { place } from "./lock.ts";
import { applyEdits, type FileEdit } from "./project.ts";
import type { Registry } from "./registry.ts";
import { switchTo } from "./switch.ts";

export interface HostOutcome {
  hash: LockfileHash;
  fetched: number;
  fetchedBytes: number;
  instances: number;
  files: number;
  switched: boolean;
}

/** Simultaneous downloads, and the compressed bytes that may wait in memory between the network and the workers. */
const downloads = 32;
const bytesInFlight = 24 * 1024 * 1024;
/** What a download of unknown size counts for. */
const assumedSize = 1024 * 1024;
/** With fewer jobs than this, workers cost more than they give. */
const workerThreshold = 12;

/** Applies a plan; the caller holds the install lock. `registry` is opened only where something must be fetched. */
export async function applyHost(
  ctx: Context,
  plan: HostPlan,
  registry: () => Registry,
  edits: readonly FileEdit[],
  reason: string | undefined,
): Promise<HostOutcome> {
  const paths = hostPaths(ctx.dataRoot);
  const outcome = {
    hash: plan.tree.hash,
    fetched: 0,
    fetchedBytes: 0,
    instances: 0,
    files: 0,
    switched: plan.switches,
  };
  if (plan.blobs.length === 0 && plan.treeExists) {
    await commit(ctx, plan, applyEdits(edits), reason);
    return outcome;
  }
  const scratch = createScratch(paths.tmp, "install");
  try {
    const staging = createStaging(scratch.path);
    await stageInstances(ctx, plan, registry, staging, outcome);
    if (!plan.treeExists) {
      ctx.progress({ phase: "link", done: 0, total: 1, bytes: 0, totalBytes: 0 });
      const staged = new Set(plan.blobs.flatMap((blob) => blob.instances.map((instance) => instance.id)));
      stageTree(plan.tree, plan.lockfileText, staging.tree, (id) =>
        staged.has(id) ? join(staging.packages, id) : instancePath(paths, id),
      );
    }
    ctx.signal.throwIfAborted();
    ctx.progress({ phase: "sync", done: 0, total: 1, bytes: 0, totalBytes: 0 });
    if (plan.blobs.length === 0) syncTree(staging.tree);
    else syncFileSystem(paths.root);
    publishStaged(paths, staging, plan.treeExists ? undefined : plan.tree.hash);
    await commit(ctx, plan, applyEdits(edits), reason);
    return outcome;
  } finally {
    scratch.remove();
  }
}

/** Fetches, checks, unpacks and links every missing instance, all overlapping. */
async function stageInstances(
  ctx: Context,
  plan: HostPlan,
  openRegistry: () => Registry,
  staging: Staging,
  outcome: HostOutcome,
): Promise<void> {
  if (plan.blobs.length === 0) return;
  const paths = hostPaths(ctx.dataRoot);
  const client = plan.fetches > 0 ? openRegistry().client : undefined;
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
      if (client === undefined || blob.cached || blob.donor !== undefined) return build(blob, undefined);
      await memory.run(blob.size ?? assumedSize, async () => {
        const bytes = await client.tarballBytes(place(blob), { maxBytes: budget.left(blob) });
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

/** The switch; the project's files go back to what they were where it fails. */
async function commit(ctx: Context, plan: HostPlan, undo: () => void, reason: string | undefined): Promise<void> {
  if (!plan.switches) return;
  try {
    if (!hasTree(hostPaths(ctx.dataRoot), plan.tree.hash)) throw new Error(`tree ${plan.tree.hash} did not arrive`);
    ctx.progress({ phase: "switch", done: 0, total: 1, bytes: 0, totalBytes: 0 });
    await switchTo(ctx, plan.tree.hash, reason);
  } catch (error) {
    undo();
    throw error;
  }
}
