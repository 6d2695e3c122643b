/** What a repair would do about each damaged thing, and about which it can do nothing. Pure: decides on findings alone. */
import type { Digest } from "../../core/integrity.ts";
import { byteOrder } from "../../core/location.ts";
import type { InstancePlan } from "../../core/tree-plan.ts";
import { type Finding, isDamage, type Thing, thingKey } from "../../tree/finding.ts";
import { allFindings, type Examination } from "./examine.ts";

export interface RepairStep {
  thing: Thing;
  /** `alpha@1.0.0`, a tree's short hash, or the thing's own name. */
  label: string;
  /** `set-aside`: into the quarantine, for nothing needs it. `adjust`: permission bits. `note`: an entry in the journal. */
  action: "fetch" | "rebuild" | "set-aside" | "create" | "adjust" | "point" | "note";
  from: "cache" | "registry" | "lockfile" | "journal" | null;
}

/** Something that cannot be repaired, and why. */
export interface Hopeless {
  thing: Thing;
  label: string;
  why: string;
}

export interface RepairPlan {
  steps: readonly RepairStep[];
  hopeless: readonly Hopeless[];
}

/** What is known beside the findings. */
export interface RepairMeans {
  offline: boolean;
  /** Blobs that could not be fetched, and why. */
  lost: ReadonlyMap<Digest, string>;
}

/** Decides for everything that was found, in the order of the work: blobs, packages, trees, the rest. */
export function planRepair(examination: Examination, means: RepairMeans): RepairPlan {
  const damaged = new Map<string, Finding[]>();
  for (const finding of allFindings(examination)) {
    if (!isDamage(finding) && !isWorthReplacing(finding)) continue;
    const key = thingKey(finding.thing);
    damaged.set(key, [...(damaged.get(key) ?? []), finding]);
  }
  const steps: RepairStep[] = [];
  const hopeless: Hopeless[] = [];
  const things = [...damaged.values()].sort(([a], [b]) => compare((a as Finding).thing, (b as Finding).thing));
  for (const findings of things) {
    const { thing } = findings[0] as Finding;
    const label = labelOf(examination, thing);
    const decision = decide(examination, means, thing, findings);
    if (typeof decision === "string") hopeless.push({ thing, label, why: decision });
    else steps.push({ thing, label, ...decision });
  }
  return { steps, hopeless };
}

/** A blob that is gone is fetched, so that its package can be compared; what the device fails to read is replaced. */
export function isWorthReplacing(finding: Finding): boolean {
  return finding.reason === "no-blob" || finding.os === "EIO";
}

const order: readonly Thing["type"][] = ["blob", "package", "tree", "lease", "current", "journal"];

function compare(a: Thing, b: Thing): number {
  return order.indexOf(a.type) - order.indexOf(b.type) || byteOrder(a.id, b.id);
}

type Decision = Pick<RepairStep, "action" | "from"> | string;

function decide(examination: Examination, means: RepairMeans, thing: Thing, findings: readonly Finding[]): Decision {
  switch (thing.type) {
    case "blob":
      return decideBlob(examination, means, thing.id, findings);
    case "package":
      return decidePackage(examination, means, thing.id);
    case "tree": {
      const facts = examination.scope.trees.get(thing.id);
      if (facts?.plan !== undefined) return { action: "rebuild", from: "lockfile" };
      return "neither its copy of the lockfile nor the project's lockfile has its hash";
    }
    case "lease":
      return findings.every(({ reason }) => reason === "mode")
        ? { action: "adjust", from: null }
        : { action: "create", from: null };
    case "current":
      return { action: "point", from: "journal" };
    case "journal":
      return findings.every(({ reason }) => reason === "line")
        ? { action: "note", from: null }
        : { action: "set-aside", from: null };
  }
}

function decideBlob(
  examination: Examination,
  means: RepairMeans,
  digest: Digest,
  findings: readonly Finding[],
): Decision {
  if (findings.every(({ reason }) => reason === "mode")) return { action: "adjust", from: null };
  if (planOf(examination, digest) === undefined) {
    return "no package on this host says what it is; the collector removes it in time";
  }
  const lost = means.lost.get(digest);
  if (lost !== undefined) return lost;
  return means.offline ? "`--offline` forbids fetching" : { action: "fetch", from: "registry" };
}

function decidePackage(examination: Examination, means: RepairMeans, id: string): Decision {
  const { instances, trees } = examination.scope;
  const known = instances.get(id);
  // What no lockfile names nobody runs: the next installation that wants it builds it anew.
  if (!known?.planned && [...trees.values()].every(({ plan }) => plan !== undefined)) {
    return { action: "set-aside", from: null };
  }
  if (known === undefined) return "nothing says what it should be";
  const blob = blobState(examination, known.plan.digest);
  if (blob === "sound") return { action: "rebuild", from: "cache" };
  const lost = means.lost.get(known.plan.digest);
  if (lost !== undefined) return `its blob cannot be had: ${lost}`;
  if (means.offline) return "its blob is not in the cache, and `--offline` forbids fetching";
  return { action: "rebuild", from: "registry" };
}

/** Whether packages can be built from the cache's blob. */
export function blobState(examination: Examination, digest: Digest): "sound" | "unusable" {
  const findings = examination.found.get(`digest:${digest}`) ?? [];
  const unusable = findings.some(({ thing, reason }) => thing.type === "blob" && reason !== "mode");
  return unusable ? "unusable" : "sound";
}

/** An instance of the digest, which says where its bytes come from; best one whose lockfile knows more. */
export function planOf(examination: Examination, digest: Digest): InstancePlan | undefined {
  const all = [...examination.scope.instances.values()].filter(({ plan }) => plan.digest === digest);
  return (all.find(({ planned }) => planned) ?? all[0])?.plan;
}

/** How a thing is called. */
export function labelOf(examination: Examination, { type, id }: Thing): string {
  if (type === "package") {
    const plan = examination.scope.instances.get(id)?.plan;
    return plan === undefined ? id.slice(0, -33) : `${plan.name}@${plan.version}`;
  }
  if (type === "blob") {
    const plan = planOf(examination, id);
    return plan === undefined ? id.slice(0, 12) : `${plan.name}@${plan.version}`;
  }
  return type === "tree" || type === "lease" ? id.slice(0, 12) : type;
}
