/** What a host lacks for a lockfile, and what bringing it there will cost. Reads only. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Allowlist } from "../core/allowlist.ts";
import { CspError } from "../core/errors.ts";
import { buildGraph } from "../core/graph.ts";
import type { Digest } from "../core/integrity.ts";
import { byteOrder } from "../core/location.ts";
import type { Lockfile } from "../core/lockfile.ts";
import type { LockfileHash } from "../core/lockfile-hash.ts";
import { platformName } from "../core/platform.ts";
import { formatSize } from "../core/quantity.ts";
import { diffRoots, type RootChange } from "../core/root-changes.ts";
import { type InstancePlan, planTree, type TreePlan } from "../core/tree-plan.ts";
import { hasTree, hasWholeTree, readCurrent } from "../tree/current.ts";
import { missingInstances, readTree, type TreeDescription } from "../tree/description.ts";
import { readInstance } from "../tree/instance-description.ts";
import { blobPath, type HostPaths, hostPaths, treePath } from "../tree/layout.ts";
import type { Context } from "./context.ts";
import { estimateNeeds, requireSpace } from "./preflight.ts";
import { fileNames } from "./project.ts";

/** Everything to be done for one digest. */
export interface BlobPlan {
  digest: Digest;
  name: string;
  version: string;
  size: number | undefined;
  tarball: string | undefined;
  cached: boolean;
  /** A complete instance with the same bytes, to link from. */
  donor: string | undefined;
  instances: InstancePlan[];
}

/** What bounds an installation; an allowlist says it. */
export type HostLimits = Pick<Allowlist, "sizeCap" | "minimumFreeSpace">;

export interface HostPlan {
  tree: TreePlan;
  lockfileText: string;
  /** The tree that is current now. */
  from: LockfileHash | undefined;
  switches: boolean;
  treeExists: boolean;
  blobs: BlobPlan[];
  /** Blobs that must come from a store or the registry, and their bytes where known. */
  fetches: number;
  fetchBytes: number;
  unknownSizes: number;
  /** Bytes of all blobs of the tree. */
  totalBytes: number;
  /** Refuse downloads that would pass this many bytes in total; undefined for no limit. */
  sizeCap: number | undefined;
  changes: RootChange[];
}

/** True where the host is already as the plan wants it. */
export function isNothingToDo(plan: HostPlan): boolean {
  return !plan.switches && plan.treeExists && plan.blobs.length === 0;
}

/** Plans the tree of a lockfile on this host. Throws CSP_PLATFORM, CSP_SIZE_CAP, CSP_OFFLINE or CSP_DISK_FULL. */
export function planHost(ctx: Context, limits: HostLimits, lockfile: Lockfile, lockfileText: string): HostPlan {
  const paths = hostPaths(ctx.dataRoot);
  const tree = planTree(lockfile, buildGraph(lockfile, fileNames(ctx).lockfile), ctx.platform);
  const from = readCurrent(paths);
  const present = hasTree(paths, tree.hash) ? readTree(paths, tree.hash) : undefined;
  const blobs = planBlobs(paths, tree);
  const fetched = blobs.filter((blob) => !blob.cached && blob.donor === undefined);
  const plan: HostPlan = {
    tree,
    lockfileText,
    from,
    switches: from !== tree.hash,
    treeExists: present !== undefined && isWhole(paths, tree, present),
    blobs,
    fetches: fetched.length,
    fetchBytes: fetched.reduce((sum, blob) => sum + (blob.size ?? 0), 0),
    unknownSizes: fetched.filter((blob) => blob.size === undefined).length,
    totalBytes: totalBytes(tree),
    sizeCap: limits.sizeCap.block,
    changes: diffRoots(from === undefined ? undefined : readTree(paths, from)?.roots, tree.roots),
  };
  checkSize(ctx, limits, plan);
  if (ctx.offline && fetched.length > 0) throw offlineError(fetched);
  requireSpace(paths.root, estimateNeeds(blobs), ctx.minimumFreeSpace ?? limits.minimumFreeSpace ?? 0);
  return plan;
}

/** Groups what is missing by digest; bytes that an instance has already are not fetched again. */
function planBlobs(paths: HostPaths, tree: TreePlan): BlobPlan[] {
  const missing = new Set(
    missingInstances(
      paths,
      tree.instances.map((instance) => instance.id),
    ),
  );
  if (missing.size === 0) return [];
  const present = existsSync(paths.packages) ? readdirSync(paths.packages).filter((id) => !missing.has(id)) : [];
  const donors = new Map<string, string[]>();
  for (const id of present) {
    const stem = id.slice(0, id.lastIndexOf("-"));
    donors.set(stem, [...(donors.get(stem) ?? []), id]);
  }
  const blobs = new Map<Digest, BlobPlan>();
  for (const instance of tree.instances) {
    if (!missing.has(instance.id)) continue;
    const { digest, name, version, size, tarball } = instance;
    const known = blobs.get(digest);
    if (known) {
      known.instances.push(instance);
      continue;
    }
    const stem = instance.id.slice(0, instance.id.lastIndexOf("-"));
    const donor = (donors.get(stem) ?? []).map((id) => join(paths.packages, id)).find((at) => digestOf(at) === digest);
    const cached = existsSync(blobPath(paths, digest));
    blobs.set(digest, {
      digest,
      name,
      version,
      size,
      tarball,
      cached,
      donor: donor === undefined ? undefined : join(donor, "node_modules", name),
      instances: [instance],
    });
  }
  return [...blobs.values()];
}

function digestOf(instance: string): Digest | undefined {
  return readInstance(instance)?.digest;
}

/** A tree that is there, was built for this platform, still is what it was, and is what is planned. */
function isWhole(paths: HostPaths, tree: TreePlan, present: TreeDescription): boolean {
  const folder = treePath(paths, tree.hash);
  return (
    platformName(present.platform) === platformName(tree.platform) &&
    hasWholeTree(paths, tree) &&
    hasWholeTree(paths, present) &&
    tree.copies.every(({ path }) => existsSync(join(folder, path)))
  );
}

function totalBytes(tree: TreePlan): number {
  const sizes = new Map(tree.instances.map(({ name, version, size }) => [`${name}@${version}`, size ?? 0]));
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}

function checkSize(ctx: Context, limits: HostLimits, plan: HostPlan): void {
  const { warn, block } = limits.sizeCap;
  const largest = (): string[] =>
    [...plan.tree.instances]
      .sort((a, b) => (b.size ?? 0) - (a.size ?? 0))
      .slice(0, 3)
      .map(({ name, version, size }) => `${formatSize(size ?? 0)}  ${name}@${version}`);
  if (block !== undefined && plan.totalBytes > block) {
    throw new CspError("CSP_SIZE_CAP", {
      message: `the packages are ${formatSize(plan.totalBytes)} together, more than the ${formatSize(block)} of \`sizeCap.block\``,
      details: ["the largest:", ...largest().map((line) => `  ${line}`)],
      hint: "remove a package with `csp remove`, or raise `sizeCap.block` in the allowlist",
      data: { bytes: plan.totalBytes, limit: block },
    });
  }
  if (warn !== undefined && plan.totalBytes > warn) {
    ctx.warn({
      code: "CSP_WARN_SIZE_CAP",
      message: `the packages are ${formatSize(plan.totalBytes)} together, more than the ${formatSize(warn)} of \`sizeCap.warn\``,
      hint: `the largest are ${largest().join(", ")}`,
    });
  }
}

function offlineError(missing: readonly BlobPlan[]): CspError {
  const lines = missing.map(({ name, version }) => `${name}@${version}`).sort(byteOrder);
  return new CspError("CSP_OFFLINE", {
    message: `${lines.length === 1 ? "one package is" : `${lines.length} packages are`} not on this host, and \`--offline\` forbids fetching`,
    details: lines,
    hint: "run `csp install` once where the registry can be reached",
    data: {
      missing: missing.map(({ name, version, digest, size }) => ({ name, version, digest, size: size ?? null })),
    },
  });
}
