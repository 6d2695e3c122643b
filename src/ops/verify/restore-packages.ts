/** Building damaged packages and trees anew, with files of their own, and swapping them in under running scripts. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { isCspError } from "../../core/errors.ts";
import type { Digest } from "../../core/integrity.ts";
import { forEachLimited } from "../../core/limiter.ts";
import type { InstancePlan } from "../../core/tree-plan.ts";
import { syncFileSystem } from "../../fs/durable.ts";
import type { TreeFacts } from "../../tree/check-tree.ts";
import { lookAt } from "../../tree/check-walk.ts";
import { blobPath, type HostPaths, instancePath, treePath } from "../../tree/layout.ts";
import { createPool } from "../../tree/pool.ts";
import { quarantine, swapIn } from "../../tree/quarantine.ts";
import { stageTree } from "../../tree/tree.ts";
import type { Context } from "../context.ts";

export interface Rebuilt {
  /** By id or hash: where the damaged one is now; undefined where there was none. */
  restored: Map<string, string | undefined>;
  /** By id or hash: why it could not be built. */
  failed: Map<string, string>;
}

/** With fewer archives than this, workers cost more than they give. */
const workerThreshold = 12;

/**
 * Builds instances from the blobs of the cache and swaps them in. All instances of one digest that are built together
 * share new files; none of the old ones, which may be the damage.
 */
export async function rebuildPackages(
  ctx: Context,
  paths: HostPaths,
  scratch: string,
  plans: readonly InstancePlan[],
): Promise<Rebuilt> {
  const result: Rebuilt = { restored: new Map(), failed: new Map() };
  if (plans.length === 0) return result;
  const folder = join(scratch, "packages");
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const groups = new Map<Digest, InstancePlan[]>();
  for (const plan of plans) groups.set(plan.digest, [...(groups.get(plan.digest) ?? []), plan]);
  const pool = createPool("build", groups.size < workerThreshold ? 0 : ctx.cores);
  const built: InstancePlan[] = [];
  try {
    await forEachLimited([...groups], ctx.cores * 2, async ([digest, members]) => {
      ctx.signal.throwIfAborted();
      const { name, version } = members[0] as InstancePlan;
      const instances = members.map((plan) => ({ staged: join(folder, plan.id), plan }));
      const cached = blobPath(paths, digest);
      try {
        await pool.run({ digest, name, version, cached, stageBlob: undefined, donor: undefined, instances });
        built.push(...members);
      } catch (error) {
        if (!isCspError(error)) throw error;
        for (const { id } of members) result.failed.set(id, error.message);
      }
      ctx.progress({ phase: "link", done: built.length, total: plans.length, bytes: 0, totalBytes: 0 });
    });
  } finally {
    pool.close();
  }
  ctx.signal.throwIfAborted();
  if (built.length > 0) syncFileSystem(paths.root);
  for (const { id } of built) {
    result.restored.set(id, swapIn(paths, join(folder, id), instancePath(paths, id), id));
  }
  return result;
}

/** Takes packages out of the way that nothing needs. */
export function setPackagesAside(paths: HostPaths, ids: readonly string[]): Map<string, string> {
  return new Map(ids.map((id) => [id, quarantine(paths, instancePath(paths, id), id)]));
}

/** Builds trees from their plans; `broken` are instances that a hoisted tree must not take files from. */
export function rebuildTrees(
  ctx: Context,
  paths: HostPaths,
  scratch: string,
  trees: readonly TreeFacts[],
  broken: ReadonlySet<string>,
): Rebuilt {
  const result: Rebuilt = { restored: new Map(), failed: new Map() };
  const folder = join(scratch, "trees");
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  for (const { hash, plan, lockfileText } of trees) {
    ctx.signal.throwIfAborted();
    if (plan === undefined || lockfileText === undefined) continue;
    const lacks = plan.copies.some(({ id }) => broken.has(id) || lookAt(instancePath(paths, id)) !== "folder");
    if (lacks) result.failed.set(hash, "some of its packages could not be restored");
    else stageTree(plan, lockfileText, join(folder, hash), (id) => instancePath(paths, id));
  }
  const built = trees.filter(({ hash }) => lookAt(join(folder, hash)) === "folder");
  if (built.length > 0) syncFileSystem(paths.root);
  for (const { hash } of built) {
    result.restored.set(hash, swapIn(paths, join(folder, hash), treePath(paths, hash), hash));
  }
  return result;
}
