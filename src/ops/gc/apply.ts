/**
 * Collecting: under the gc lock everything leaves its place by one step each, trees before the packages and blobs they
 * need; afterwards, with the lock given back, it is removed for good. A crash leaves whole things in their places, or nothing.
 */
import { existsSync, unlinkSync } from "node:fs";
import type { InstanceId } from "../../core/closure.ts";
import { type CspError, isCspError } from "../../core/errors.ts";
import type { LockfileHash } from "../../core/lockfile-hash.ts";
import { syncDirectory } from "../../fs/durable.ts";
import { acquireLock, type Lock, tryLock } from "../../fs/lock.ts";
import { describeOsError, guarded, osCode } from "../../fs/os-error.ts";
import { removeMeasured } from "../../fs/remove.ts";
import { removeIfStale } from "../../fs/scratch.ts";
import { writeGcNotes } from "../../tree/gc-notes.ts";
import { readInstance } from "../../tree/instance-description.ts";
import { blobPath, type HostPaths, hostPaths, instancePath, leasePath, treePath } from "../../tree/layout.ts";
import type { Context } from "../context.ts";
import type { SwitchContext } from "../switch.ts";
import { type GcOptions, type GcPlan, planGc } from "./plan.ts";
import { openTrash, type Trash, trashAtOnce } from "./trash.ts";

export type GcContext = SwitchContext & Pick<Context, "project" | "progress">;

/** One thing that could not be removed. */
export interface GcFailure {
  name: string;
  error: CspError;
}

export interface GcOutcome {
  /** What was removed, in the shape of a plan. */
  plan: GcPlan;
  failed: readonly GcFailure[];
}

/**
 * Collects. Goes on after what cannot be removed. Throws what `planGc` throws, CSP_LOCK_TIMEOUT, and errors of syncs,
 * after which nothing more is touched.
 */
export async function applyGc(ctx: GcContext, options: GcOptions): Promise<GcOutcome> {
  const paths = hostPaths(ctx.dataRoot);
  if (!existsSync(paths.locks)) return { plan: planGc(ctx, options), failed: [] };
  const work = createWork(ctx, paths);
  const { command: purpose, now, lockTimeoutMs: timeoutMs, waiting: onWait, signal } = ctx;
  const lock = await acquireLock(paths.gcLock, {
    mode: "exclusive",
    purpose,
    now,
    wait: { timeoutMs },
    onWait,
    signal,
  });
  let plan: GcPlan;
  let trash: Trash;
  try {
    plan = planGc(ctx, options);
    trash = work.clear(plan);
  } finally {
    lock.release();
  }
  await work.empty(plan, trash);
  return { plan: work.done(plan), failed: work.failed };
}

function createWork(ctx: GcContext, paths: HostPaths) {
  const failed: GcFailure[] = [];
  const spoiled = new Set<string>();
  /** Goes on after what the operating system refuses. */
  const attempt = (name: string, action: () => void): boolean => {
    ctx.signal.throwIfAborted();
    try {
      action();
      return true;
    } catch (thrown) {
      const error = isCspError(thrown) ? thrown : describeOsError(thrown);
      if (error === undefined || osCode(error) === undefined) throw thrown;
      failed.push({ name, error });
      spoiled.add(name);
      return false;
    }
  };

  /** Everything leaves its place; the caller holds the gc lock. */
  function clear(plan: GcPlan): Trash {
    let trash = openTrash(paths);
    const full = trash === undefined;
    for (const { path, scratch } of plan.leftovers) {
      // A scratch directory of a dead owner is in nobody's way and can wait, unless its space is needed.
      if (scratch && !full) continue;
      const inside = path.startsWith(`${paths.root}/`);
      attempt(path, () => {
        if (scratch) removeIfStale(path);
        else if (trash !== undefined && inside) trash.take(path, path);
        else removeMeasured(path);
      });
    }
    // Only where nothing else makes room may a crash leave trees that lack blobs.
    if (full) takeBlobs(plan);
    trash ??= openTrash(paths) ?? trashAtOnce(paths);
    writeGcNotes(paths, plan.notes);
    const kept = takeTrees(plan, trash);
    takePackages(plan, trash, kept);
    if (!full) takeBlobs(plan);
    return trash;
  }

  /** Those of packages that stay after all stay, too: they are what proves and repairs them. */
  function takeBlobs(plan: GcPlan): void {
    const staying = plan.packages.filter(({ id }) => spoiled.has(id));
    const needed = new Set(staying.map(({ id }) => readInstance(instancePath(paths, id))?.digest));
    for (const { digest } of plan.blobs) {
      if (needed.has(digest)) spoiled.add(digest);
      else attempt(digest, () => removeFile(blobPath(paths, digest)));
    }
  }

  /** The trees that go; those that a script began to use since the plan was made stay. Returns what stays. */
  function takeTrees(plan: GcPlan, trash: Trash): Set<LockfileHash> {
    const kept = new Set<LockfileHash>();
    for (const { hash } of plan.trees) {
      const moved = attempt(hash, () => {
        const lease = takeLease(hash);
        if (lease === "busy") {
          spoiled.add(hash);
          kept.add(hash);
          return;
        }
        try {
          trash.take(treePath(paths, hash), hash);
        } finally {
          lease?.release();
        }
      });
      if (!moved) kept.add(hash);
    }
    if (plan.trees.length > 0) syncDirectory(paths.trees);
    return kept;
  }

  /** No lease file, no lease: nobody can have switched to that tree while the gc lock is held. */
  function takeLease(hash: LockfileHash): Lock | "busy" | undefined {
    const path = leasePath(paths, hash);
    if (!existsSync(path)) return undefined;
    return tryLock(path, { mode: "exclusive", purpose: ctx.command, now: ctx.now, fileMode: 0o644 }) ?? "busy";
  }

  function takePackages(plan: GcPlan, trash: Trash, kept: ReadonlySet<LockfileHash>): void {
    const needed = new Set<InstanceId>();
    for (const tree of plan.trees) if (kept.has(tree.hash)) for (const id of tree.instances) needed.add(id);
    for (const { id } of plan.packages) {
      if (needed.has(id)) spoiled.add(id);
      else attempt(id, () => trash.take(instancePath(paths, id), id));
    }
    if (plan.packages.length > 0) syncDirectory(paths.packages);
  }

  /** What left its place is removed. Between two of them signals are heard; what then is left goes next time. */
  async function empty(plan: GcPlan, trash: Trash): Promise<void> {
    const total = trash.discarded.length;
    for (const [i, { path, name }] of trash.discarded.entries()) {
      ctx.progress({ phase: "collect", done: i, total, bytes: 0, totalBytes: 0 });
      attempt(name, () => removeMeasured(path));
      if (i % 64 === 63) await new Promise((resolve) => setImmediate(resolve));
    }
    for (const { path, scratch } of plan.leftovers) if (scratch) attempt(path, () => removeIfStale(path));
    attempt("the trash", () => trash.close());
  }

  /** The plan without what stayed after all, which keeps the files that it shares. */
  function done(plan: GcPlan): GcPlan {
    const staying = new Set(plan.packages.filter(({ id }) => spoiled.has(id)).map(({ share }) => share));
    return {
      ...plan,
      trees: plan.trees.filter(({ hash }) => !spoiled.has(hash)),
      packages: plan.packages
        .filter(({ id }) => !spoiled.has(id))
        .map((each) => (staying.has(each.share) ? { ...each, shared: true } : each)),
      blobs: plan.blobs.filter(({ digest }) => !spoiled.has(digest)),
      leftovers: plan.leftovers.filter(({ path }) => !spoiled.has(path)),
    };
  }

  return { failed, clear, empty, done };
}

/** A blob needs no detour: one call takes it away whole. */
function removeFile(path: string): void {
  guarded(() => {
    try {
      unlinkSync(path);
    } catch (error) {
      if (osCode(error) !== "ENOENT") throw error;
    }
  }, path);
}
