/** Bringing this host to what a channel points at: the store alone is asked, never the registry. */
import { CspError, isCspError } from "../core/errors.ts";
import type { Hold } from "../core/journal-story.ts";
import type { LockfileHash } from "../core/lockfile-hash.ts";
import { platformName } from "../core/platform.ts";
import type { Store } from "../store/store.ts";
import { hasWholeTree, readCurrent } from "../tree/current.ts";
import { missingInstances, readTree, type TreeDescription } from "../tree/description.ts";
import { type HostPaths, hostPaths } from "../tree/layout.ts";
import { readSyncState, writeSyncState } from "../tree/sync-state.ts";
import type { Context } from "./context.ts";
import { holdOn } from "./hold.ts";
import { applyHost, type HostOutcome } from "./host-apply.ts";
import { underInstallLock } from "./host-locks.ts";
import { type HostLimits, type HostPlan, planHost } from "./host-plan.ts";
import { type CheckedRelease, readRelease } from "./release-object.ts";
import { type BlobSource, storeSource } from "./source.ts";
import { moveCurrent, onSteadyHost, underSwitchLock } from "./switch.ts";
import { findTarget, type SyncTarget, type TargetOptions } from "./sync-target.ts";

export interface SyncOptions extends TargetOptions {
  /** Build the tree and leave `current` where it is. */
  downloadOnly: boolean;
  limits: HostLimits;
  reason: string | undefined;
}

/** What a sync found: nothing to do; a release that is held and left alone; a tree to switch to; one to build first. */
export type SyncStep = "nothing" | "held" | "switch" | "build";

export interface SyncPlan {
  step: SyncStep;
  target: SyncTarget;
  from: LockfileHash | undefined;
  hold: Hold | undefined;
  /** With "build" only. */
  build: { release: CheckedRelease; host: HostPlan } | undefined;
  /** The target's tree, where it is here and whole. */
  tree: TreeDescription | undefined;
}

export interface SyncOutcome {
  plan: SyncPlan;
  /** With "build" only. */
  host: HostOutcome | undefined;
  switched: boolean;
}

/** Plans a sync: asks the store for its root and, where the tree is not here, for the release. Changes nothing. */
export async function planSync(ctx: Context, store: Store, options: SyncOptions): Promise<SyncPlan> {
  const found = await look(ctx, store, options);
  return "step" in found ? found : planBuild(ctx, found, options);
}

/** A release whose tree is not here. */
interface Wanted {
  target: SyncTarget;
  release: CheckedRelease;
}

async function look(ctx: Context, store: Store, options: SyncOptions): Promise<SyncPlan | Wanted> {
  const paths = hostPaths(ctx.dataRoot);
  const seen = readSyncState(paths);
  const target = await findTarget(ctx, store, seen, options);
  const here = planHere(ctx, paths, target, options);
  if (here !== undefined) return here;
  // Where nothing changed in the store and yet the tree is not here, the root is needed after all.
  const whole = target.release === undefined ? await findTarget(ctx, store, seen, options, { fresh: true }) : target;
  if (whole.release === undefined) throw new Error("a release that was asked for is not there");
  return { target: whole, release: await readRelease(whole.store, whole.hash, whole.release) };
}

function planBuild(
  ctx: Context,
  { target, release }: Wanted,
  options: SyncOptions,
): SyncPlan & { build: NonNullable<SyncPlan["build"]> } {
  const host = planRelease(ctx, release, options);
  return { step: "build", target, from: host.from, hold: undefined, build: { release, host }, tree: undefined };
}

/** What can be told without the release. */
function planHere(ctx: Context, paths: HostPaths, target: SyncTarget, options: SyncOptions): SyncPlan | undefined {
  const from = readCurrent(paths);
  const hold = from === target.hash ? undefined : holdOn(ctx, target.hash);
  const plan = { target, from, hold, build: undefined };
  if (hold !== undefined) return { ...plan, step: "held", tree: undefined };
  const tree = wholeTree(ctx, paths, target.hash);
  if (tree === undefined) return undefined;
  return { ...plan, step: from === target.hash || options.downloadOnly ? "nothing" : "switch", tree };
}

/** A tree that needs no closer look. */
function wholeTree(ctx: Context, paths: HostPaths, hash: LockfileHash): TreeDescription | undefined {
  const tree = readTree(paths, hash);
  if (tree === undefined || platformName(tree.platform) !== platformName(ctx.platform)) return undefined;
  return hasWholeTree(paths, tree) && missingInstances(paths, tree.instances).length === 0 ? tree : undefined;
}

function planRelease(ctx: Context, { object, lockfile }: CheckedRelease, options: SyncOptions): HostPlan {
  const host = planHost(ctx, options.limits, lockfile, object.lockfile);
  const lacking = host.blobs.filter(
    ({ digest, cached, donor }) => !cached && donor === undefined && !object.blobs.has(digest),
  );
  if (lacking.length > 0) {
    const names = lacking.map(({ name, version }) => `${name}@${version}`);
    throw new CspError("CSP_PLATFORM", {
      message: `release \`${object.hash.slice(0, 12)}\` was not published for ${platformName(ctx.platform)}`,
      details: [
        `it is for ${object.platforms.join(", ")}`,
        `it lacks ${names.slice(0, 5).join(", ")}${names.length > 5 ? `, and ${names.length - 5} more` : ""}`,
      ],
      hint: `add \`${platformName(ctx.platform)}\` to \`platforms\` in the allowlist and run \`csp publish\``,
      data: { release: object.hash, platform: platformName(ctx.platform), platforms: object.platforms, lacking: names },
    });
  }
  return { ...host, switches: host.switches && !options.downloadOnly };
}

/** Plans and applies; what is still to be done is looked at again under the lock. */
export async function applySync(ctx: Context, store: Store, options: SyncOptions): Promise<SyncOutcome> {
  for (let attempt = 1; ; attempt++) {
    try {
      const found = await look(ctx, store, options);
      const outcome = await ("step" in found ? applyHere(ctx, found, options) : build(ctx, found, options));
      if (found.target.changed) await remember(ctx, found.target);
      return outcome;
    } catch (error) {
      // A collection of the store, or of this host, may have been faster; then the next look shows it.
      if (attempt > 2 || !(isCspError(error, "CSP_STORE_MISSING") || isCspError(error, "CSP_TREE_UNKNOWN")))
        throw error;
    }
  }
}

/** Planned under the lock, once: nobody else changes this host meanwhile. */
function build(ctx: Context, wanted: Wanted, options: SyncOptions): Promise<SyncOutcome> {
  const source = releaseSource(wanted.target.store, wanted.release);
  return underInstallLock(ctx, async () => {
    const plan = planBuild(ctx, wanted, options);
    const host = await applyHost(ctx, plan.build.host, source, [], options.reason);
    return { plan, host, switched: host.switched };
  });
}

async function applyHere(ctx: Context, plan: SyncPlan, { reason }: SyncOptions): Promise<SyncOutcome> {
  const { target } = plan;
  if (plan.step !== "switch") return { plan, host: undefined, switched: false };
  await onSteadyHost(ctx, (paths) => {
    if (wholeTree(ctx, paths, target.hash) === undefined) {
      throw new CspError("CSP_TREE_UNKNOWN", {
        message: `tree \`${target.hash.slice(0, 12)}\` was collected meanwhile`,
        hint: "run `csp sync` again",
      });
    }
    moveCurrent(ctx, paths, target.hash, { reason });
  });
  return { plan, host: undefined, switched: true };
}

function releaseSource(store: Store, { object }: CheckedRelease): BlobSource {
  const keys = new Map([...object.blobs].map(([digest, { key }]) => [digest, key]));
  const from = storeSource(store, keys);
  return async (blob, limit) => {
    const bytes = await from(blob, limit);
    if (bytes === undefined) throw new Error(`release ${object.hash} has no ${blob.digest}`);
    return bytes;
  };
}

/** A slower sync does not take back what a faster one saw. */
async function remember(ctx: Context, { state, trusted }: SyncTarget): Promise<void> {
  await underSwitchLock(ctx, (paths) => {
    const seen = readSyncState(paths);
    const behind = seen?.store === state.store && seen.generation > state.generation;
    if (trusted || !behind) writeSyncState(paths, state);
  });
}
