/** What is to be verified: which trees, and which packages with all their copies. Reads names and descriptions only. */
import type { InstanceId } from "../../core/closure.ts";
import type { Digest } from "../../core/integrity.ts";
import type { LockfileHash } from "../../core/lockfile-hash.ts";
import type { InstancePlan } from "../../core/tree-plan.ts";
import type { CopyTarget } from "../../tree/check-copy.ts";
import { type Inventory, takeInventory } from "../../tree/check-host.ts";
import type { InstanceTarget } from "../../tree/check-instance.ts";
import { isInstanceId, readFacts } from "../../tree/check-names.ts";
import type { PackageCheck } from "../../tree/check-package.ts";
import { checkTree, type TreeFacts } from "../../tree/check-tree.ts";
import { createFindings, type Finding } from "../../tree/finding.ts";
import { blobPath, type HostPaths, instancePath, treePath } from "../../tree/layout.ts";
import type { Context } from "../context.ts";
import { readText } from "../text.ts";

export interface Scope {
  /** By hash. */
  trees: Map<LockfileHash, TreeFacts>;
  /** By id. */
  instances: Map<InstanceId, KnownInstance>;
  /** Blobs of the cache that belong to no instance known here. */
  strayBlobs: ReadonlySet<Digest>;
  /** Instances of which nothing says what they should be, with what was found instead. */
  unknown: ReadonlyMap<InstanceId, readonly Finding[]>;
  remarks: readonly string[];
}

export interface KnownInstance {
  plan: InstancePlan;
  /** True where a tree's lockfile names it; false where only its own description says what it is. */
  planned: boolean;
}

/** The current tree and its packages. */
export function currentScope(ctx: Context, paths: HostPaths, current: LockfileHash | undefined): Scope {
  return scopeOf(ctx, paths, current === undefined ? [] : [current], () => false);
}

/** All trees, all packages, all blobs. */
export function wholeScope(ctx: Context, paths: HostPaths, current: LockfileHash | undefined): Scope {
  const inventory = takeInventory(paths);
  const trees = new Set([...(current === undefined ? [] : [current]), ...inventory.trees]);
  return scopeOf(ctx, paths, [...trees], () => true, inventory);
}

/**
 * Everything on this host that has one of these digests: damage to a file may be shared by all instances and hoisted
 * trees that hold it by hard links.
 */
export function digestScope(ctx: Context, paths: HostPaths, digests: ReadonlySet<Digest>): Scope {
  const inventory = takeInventory(paths);
  const blobs = inventory.blobs.filter((digest) => digests.has(digest));
  const whole = scopeOf(ctx, paths, inventory.trees, (digest) => digests.has(digest), { ...inventory, blobs });
  const instances = new Map([...whole.instances].filter(([, { plan }]) => digests.has(plan.digest)));
  return { ...whole, instances, unknown: new Map(), remarks: [] };
}

/** `wanted` chooses among instances that no tree's plan names; they are looked at where an inventory lists them. */
function scopeOf(
  ctx: Context,
  paths: HostPaths,
  hashes: readonly LockfileHash[],
  wanted: (digest: Digest) => boolean,
  inventory?: Inventory,
): Scope {
  const spare = readSpare(ctx);
  const trees = new Map(hashes.map((hash) => [hash, checkTree(paths, hash, ctx.platform, spare)]));
  const instances = new Map<InstanceId, KnownInstance>();
  for (const { plan } of trees.values()) {
    for (const each of plan?.instances ?? []) instances.set(each.id, { plan: each, planned: true });
  }
  const unknown = new Map<InstanceId, readonly Finding[]>();
  const named = [...trees.values()].filter(({ plan }) => plan === undefined).flatMap((tree) => tree.instances);
  for (const id of new Set([...named, ...(inventory?.packages ?? [])])) {
    if (instances.has(id) || !isInstanceId(id)) continue;
    const known = describedInstance(paths, id);
    if ("findings" in known) unknown.set(id, known.findings);
    else if (named.includes(id) || wanted(known.plan.digest)) instances.set(id, known);
  }
  const digests = new Set([...instances.values()].map(({ plan }) => plan.digest));
  const strayBlobs = new Set(inventory?.blobs.filter((digest) => !digests.has(digest)));
  return { trees, instances, strayBlobs, unknown, remarks: inventory?.remarks ?? [] };
}

/** The project's lockfile: a second source for the tree that it names. */
export function readSpare(ctx: Context): string[] {
  try {
    return [readText(ctx.project.lockfile) ?? []].flat();
  } catch {
    // Whatever is wrong with it, it is no source.
    return [];
  }
}

function describedInstance(paths: HostPaths, id: InstanceId): KnownInstance | { findings: readonly Finding[] } {
  const findings = createFindings(paths.root);
  const folder = instancePath(paths, id);
  try {
    const facts = readFacts(folder, id);
    if (facts !== undefined) {
      return { plan: { ...facts, size: undefined, tarball: undefined, bin: {} }, planned: false };
    }
    findings.add(
      "corrupt",
      { type: "package", id },
      `${folder}/instance.json`,
      "unknown",
      "does not tell what this is",
    );
  } catch (error) {
    findings.addError(error, { type: "package", id }, `${folder}/instance.json`);
  }
  return { findings: findings.list };
}

/** One check for each digest, with every copy of the package; the largest first, where sizes are known. */
export function checksOf(paths: HostPaths, scope: Scope): PackageCheck[] {
  interface Group {
    plan: InstancePlan;
    bins: Set<string>;
    instances: InstanceTarget[];
    copies: CopyTarget[];
  }
  const groups = new Map<Digest, Group>();
  for (const { plan } of scope.instances.values()) {
    const { id, name, version, digest, links } = plan;
    const group: Group = groups.get(digest) ?? { plan, bins: new Set(), instances: [], copies: [] };
    groups.set(digest, group);
    for (const bin of Object.values(plan.bin)) group.bins.add(bin);
    const facts = { id, name, version, digest, links };
    group.instances.push({ thing: { type: "package", id }, folder: instancePath(paths, id), facts });
  }
  for (const { hash, plan } of scope.trees.values()) {
    const all = plan?.copies.map(({ path }) => path) ?? [];
    for (const { path, id } of plan?.copies ?? []) {
      const group = groups.get(scope.instances.get(id)?.plan.digest ?? "");
      const folder = `${treePath(paths, hash)}/${path}`;
      group?.copies.push({ thing: { type: "tree", id: hash }, folder, links: [], skip: nestedIn(all, path) });
    }
  }
  const sorted = [...groups].sort(([, a], [, b]) => (b.plan.size ?? 0) - (a.plan.size ?? 0));
  return [
    ...sorted.map(([digest, { plan, bins, instances, copies }]): PackageCheck => {
      const { name, version, size } = plan;
      return { ...blobOf(paths, digest), size, package: { name, version }, bins: [...bins], instances, copies };
    }),
    ...[...scope.strayBlobs].map((digest): PackageCheck => {
      return { ...blobOf(paths, digest), size: undefined, package: undefined, bins: [], instances: [], copies: [] };
    }),
  ];
}

function blobOf(paths: HostPaths, digest: Digest): Pick<PackageCheck, "root" | "digest" | "blob"> {
  return { root: paths.root, digest, blob: blobPath(paths, digest) };
}

/** Paths of other packages inside of one, relative to it. */
function nestedIn(all: readonly string[], path: string): string[] {
  return all.filter((each) => each.startsWith(`${path}/`)).map((each) => each.slice(path.length + 1));
}
