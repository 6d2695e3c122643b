/**
 * Bringing a host to a plan. Everything is staged and synced before the first name appears; after that there are only
 * renames: blobs, instances, tree, then the project's files, then `current`.
 */
import { join } from "node:path";
import type { LockfileHash } from "../core/lockfile-hash.ts";
import { syncFileSystem, syncTree } from "../fs/durable.ts";
import { createScratch } from "../fs/scratch.ts";
import { hasTree } from "../tree/current.ts";
import { hostPaths, instancePath } from "../tree/layout.ts";
import { createStaging, publishStaged } from "../tree/staging.ts";
import { stageTree } from "../tree/tree.ts";
import type { Context } from "./context.ts";
import type { HostPlan } from "./host-plan.ts";
import { applyEdits, type FileEdit } from "./project.ts";
import type { BlobSource } from "./source.ts";
import { switchTo } from "./switch.ts";

export interface HostOutcome {
  hash: LockfileHash;
  fetched: number;
  fetchedBytes: number;
  instances: number;
  files: number;
  switched: boolean;
}

/** Applies a plan; the caller holds the install lock. `source` gives what this host lacks. */
export async function applyHost(
  ctx: Context,
  plan: HostPlan,
  source: BlobSource,
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
    if (plan.blobs.length > 0) {
      const { stageInstances } = await import("./stage-instances.ts");
      Object.assign(outcome, await stageInstances(ctx, plan, source, staging));
    }
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
