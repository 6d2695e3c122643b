/** What is to be verified: which trees, and which packages with all their copies. Reads names and descriptions only. */
import type { InstanceId } from "../core/closure.ts";
import type { Digest } from "../core/integrity.ts";
import type { LockfileHash } from "../core/lockfile-hash.ts";
import type { InstancePlan } from "../core/tree-plan.ts";
import type { CopyTarget } from "../tree/check-copy.ts";
import { type Inventory, takeInventory } from "../tree/check-host.ts";
import { isInstanceId, readFacts } from "../tree/check-names.ts";
import type { PackageCheck } from "../tree/check-package.ts";
import { checkTree, type TreeFacts } from "../tree/check-tree.ts";
import { createFindings, type Finding } from "../tree/finding.ts";
import { blobPath, type HostPaths, instancePath, treePath } from "../tree/layout.ts";
import type { Context } from "./context.ts";
import { readText } from "./text.ts";

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
  const checks = new Map<Digest, { plan: InstancePlan; bins: Set<string>; copies: CopyTarget[] }>();
  for (const { plan } of scope.instances.values()) {
    const check = checks.get(plan.digest) ?? { plan, bins: new Set<string>(), copies: [] };
    checks.set(plan.digest, check);
    for (const bin of Object.values(plan.bin)) check.bins.add(bin);
    check.copies.push({
      thing: { type: "package", id: plan.id },
      folder: instancePath(paths, plan.id),
      inside: `node_modules/${plan.name}`,
      links: plan.links,
      skip: [],
      description: { id: plan.id, name: plan.name, version: plan.version, digest: plan.digest, links: plan.links },
    });
  }
  for (const { hash, plan } of scope.trees.values()) {
    const paths_ = plan?.copies.map(({ path }) => path) ?? [];
    for (const { path, id } of plan?.copies ?? []) {
      const digest = scope.instances.get(id)?.plan.digest;
      if (digest === undefined) continue;
      checks.get(digest)?.copies.push({
        thing: { type: "tree", id: hash },
        folder: `${treePath(paths, hash)}/${path}`,
        inside: "",
        links: [],
        skip: nestedIn(paths_, path),
        description: undefined,
      });
    }
  }
  const known = [...checks].sort(([, a], [, b]) => (b.plan.size ?? 0) - (a.plan.size ?? 0));
  return [
    ...known.map(([digest, { plan, bins, copies }]): PackageCheck => {
      const { name, version, size } = plan;
      return { ...blobOf(paths, digest), size, package: { name, version }, bins: [...bins], copies };
    }),
    ...[...scope.strayBlobs].map(
      (digest): PackageCheck => ({
        ...blobOf(paths, digest),
        size: undefined,
        package: undefined,
        bins: [],
        copies: [],
      }),
    ),
  ];
}

function blobOf(paths: HostPaths, digest: Digest): Pick<PackageCheck, "root" | "digest" | "blob"> {
  return { root: paths.root, digest, blob: blobPath(paths, digest) };
}

/** Paths of other packages inside of one; `sorted` is in byte order. */
function nestedIn(sorted: readonly string[], path: string): string[] {
  return sorted.filter((each) => each.startsWith(`${path}/`)).map((each) => each.slice(path.length + 1));
}
