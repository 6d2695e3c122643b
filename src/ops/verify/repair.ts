/**
 * Repairing a host: blobs first, then the packages that need them, then trees, then the rest. Each thing is built aside,
 * synced and exchanged in one step, so a crash at any point leaves it as it was or whole, and running scripts keep the
 * files they have open. What cannot be restored stays where it is.
 */
import type { Digest } from "../../core/integrity.ts";
import { createScratch } from "../../fs/scratch.ts";
import { type Thing, thingKey } from "../../tree/finding.ts";
import type { HostPaths } from "../../tree/layout.ts";
import type { Context } from "../context.ts";
import { allFindings, type Examination, examineDigests, examineRest } from "./examine.ts";
import {
  type Hopeless,
  labelOf,
  planOf,
  planRepair,
  type RepairMeans,
  type RepairPlan,
  type RepairStep,
} from "./repair-plan.ts";
import { adjustBlob, restoreBlobs } from "./restore-blobs.ts";
import { type Mended, mendCurrent, mendJournal, mendLease } from "./restore-host.ts";
import { rebuildPackages, rebuildTrees, setPackagesAside } from "./restore-packages.ts";

export interface Restored extends RepairStep {
  /** Where the damaged thing is now, relative to the data directory; null where there was none. */
  quarantine: string | null;
}

export interface RepairOutcome {
  restored: readonly Restored[];
  failed: readonly Hopeless[];
}

/** Adds what shares the damage: other instances and hoisted trees with the same files. */
export async function widen(ctx: Context, paths: HostPaths, examination: Examination): Promise<void> {
  const digests = [...examination.found].flatMap(([key, findings]) =>
    key.startsWith("digest:") && findings.length > 0 ? [key.slice("digest:".length)] : [],
  );
  await examineDigests(ctx, paths, examination, new Set(digests));
}

/** Repairs what was found and looks again, so that `examination` then says what is left. The caller holds the locks. */
export async function applyRepair(
  ctx: Context,
  paths: HostPaths,
  examination: Examination,
  reason: string | undefined,
): Promise<RepairOutcome> {
  const restored: Restored[] = [];
  const failed = new Map<string, Hopeless>();
  const lost = new Map<Digest, string>();
  const means: RepairMeans = { offline: ctx.offline, lost };
  const plan = (): RepairPlan => planRepair(examination, means);
  const done = (step: RepairStep, aside: string | undefined): void => {
    const quarantine = aside === undefined ? null : aside.slice(paths.root.length + 1);
    restored.push({ ...step, quarantine });
  };
  const fail = (thing: Thing, why: string): void => {
    failed.set(thingKey(thing), { thing, label: labelOf(examination, thing), why });
  };
  const affected = new Set<string>();
  const scratch = createScratch(paths.tmp, "repair");
  try {
    await repairBlobs();
    await repairPackages();
    repairTrees();
  } finally {
    scratch.remove();
  }
  await repairRest();
  await examineDigests(ctx, paths, examination, affected);
  examineRest(ctx, paths, examination, new Set(examination.scope.trees.keys()));
  const left = new Set(allFindings(examination).map(({ thing }) => thingKey(thing)));
  for (const { thing, why } of plan().hopeless) if (!failed.has(thingKey(thing))) fail(thing, why);
  for (const step of restored) {
    if (left.has(thingKey(step.thing))) fail(step.thing, "it was restored and is damaged again");
  }
  return {
    restored: restored.filter(({ thing }) => !failed.has(thingKey(thing))),
    failed: [...failed.values()],
  };

  async function repairBlobs(): Promise<void> {
    const steps = plan().steps.filter(({ thing }) => thing.type === "blob");
    const wanted = steps.filter(({ action }) => action === "fetch");
    const plans = wanted.flatMap(({ thing }) => planOf(examination, thing.id) ?? []);
    const blobs = await restoreBlobs(ctx, paths, scratch.path, plans);
    for (const [digest, why] of blobs.lost) lost.set(digest, why);
    for (const step of steps) {
      if (step.action === "adjust") adjustBlob(paths, step.thing.id);
      if (step.action !== "adjust" && !blobs.restored.has(step.thing.id)) continue;
      done(step, blobs.restored.get(step.thing.id));
      affected.add(step.thing.id);
    }
    // Only now can their packages be compared.
    await examineDigests(ctx, paths, examination, new Set(blobs.restored.keys()));
  }

  async function repairPackages(): Promise<void> {
    const steps = plan().steps.filter(({ thing }) => thing.type === "package");
    const plans = steps.flatMap(({ thing, action }) =>
      action === "rebuild" ? (examination.scope.instances.get(thing.id)?.plan ?? []) : [],
    );
    const built = await rebuildPackages(ctx, paths, scratch.path, plans);
    for (const { digest } of plans) affected.add(digest);
    const asideSteps = steps.filter(({ action }) => action === "set-aside");
    const aside = setPackagesAside(
      paths,
      asideSteps.map(({ thing }) => thing.id),
    );
    for (const step of steps) {
      const { id } = step.thing;
      const why = built.failed.get(id);
      if (why !== undefined) fail(step.thing, why);
      else done(step, aside.get(id) ?? built.restored.get(id));
    }
    for (const { thing } of asideSteps) {
      const digest = examination.scope.instances.get(thing.id)?.plan.digest;
      if (digest !== undefined) affected.add(digest);
      examination.scope.instances.delete(thing.id);
      examination.found.delete(`unknown:${thing.id}`);
    }
  }

  function repairTrees(): void {
    const current = plan();
    const broken = new Set([...current.hopeless, ...failed.values()].map(({ thing }) => thing.id));
    const steps = current.steps.filter(({ thing }) => thing.type === "tree");
    const trees = steps.flatMap(({ thing }) => examination.scope.trees.get(thing.id) ?? []);
    const built = rebuildTrees(ctx, paths, scratch.path, trees, broken);
    for (const step of steps) {
      const why = built.failed.get(step.thing.id);
      if (why !== undefined) fail(step.thing, why);
      else done(step, built.restored.get(step.thing.id));
    }
    for (const { plan: tree } of trees)
      for (const { digest } of tree?.copies.length ? tree.instances : []) affected.add(digest);
  }

  async function repairRest(): Promise<void> {
    for (const step of plan().steps) {
      const { thing } = step;
      let mended: Mended | undefined;
      if (thing.type === "lease") mended = mendLease(paths, thing.id);
      else if (thing.type === "current") mended = await mendCurrent(ctx, paths, reason);
      else if (thing.type === "journal") {
        mended = await mendJournal(ctx, paths, reason);
        if (!("why" in mended)) fail(thing, "the damaged entries are lost; the journal goes on behind a note of that");
      }
      if (mended === undefined) continue;
      if ("why" in mended) fail(thing, mended.why);
      else done(step, mended.quarantine);
    }
  }
}
