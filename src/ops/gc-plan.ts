/** What collecting would remove and what it keeps, as data. Reads only. */
import { join } from "node:path";
import type { InstanceId } from "../core/closure.ts";
import { type GcLimits, graceEnd, isInGrace } from "../core/gc-policy.ts";
import type { Digest } from "../core/integrity.ts";
import type { LockfileHash } from "../core/lockfile-hash.ts";
import type { TreeDescription } from "../tree/description.ts";
import type { GcNotes } from "../tree/gc-notes.ts";
import { blobBytes, type Footprint, footprint, listBlobs, listInstances, shareOf, sizeOf } from "../tree/inventory.ts";
import { type HostPaths, hostPaths, treePath } from "../tree/layout.ts";
import type { Context } from "./context.ts";
import { type Kept, keptThings } from "./gc-kept.ts";
import { type Leftover, listLeftovers } from "./gc-leftovers.ts";
import { createReferences, type References } from "./gc-references.ts";
import { type GcView, gcLimits, requireTree, viewTrees } from "./gc-roots.ts";
import { type Candidates, limitToSize } from "./gc-size.ts";

/** What is asked for. */
export interface GcOptions {
  /** Retired trees and the package instances that no tree needs. */
  trees: boolean;
  blobs: boolean;
  leftovers: boolean;
  /** Instead of the allowlist's settings. */
  limits: Partial<GcLimits>;
  /** Remove only until trees, packages and blobs take no more bytes than this. */
  maxSize: number | undefined;
  /** Also say of each thing that is kept why it is. */
  explain: boolean;
}

export interface TreeVictim {
  hash: LockfileHash;
  bytes: number;
  /** Milliseconds since 1970. */
  retiredAt: number;
  instances: readonly InstanceId[];
}

export interface PackageVictim extends Footprint {
  id: InstanceId;
  /** True where an instance that stays has the same files, so that removing this one frees nothing. */
  shared: boolean;
}

export interface BlobVictim {
  digest: Digest;
  bytes: number;
  /** Since when it is known that no tree refers to it; milliseconds since 1970. */
  since: number;
}

export interface GcPlan {
  trees: readonly TreeVictim[];
  packages: readonly PackageVictim[];
  blobs: readonly BlobVictim[];
  leftovers: readonly Leftover[];
  kept: readonly Kept[];
  /** What is to be remembered before anything goes. */
  notes: GcNotes;
  /** Bytes of all trees, packages and blobs, now and then; only with a size to keep to. */
  size: { before: number; after: number } | undefined;
}

/** Plans a collection. The caller holds the gc lock, unless it only shows the plan. Throws what `viewTrees` throws. */
export function planGc(ctx: Pick<Context, "dataRoot" | "project" | "now">, options: GcOptions): GcPlan {
  const paths = hostPaths(ctx.dataRoot);
  const now = ctx.now();
  const limits = { ...gcLimits(ctx), ...options.limits };
  const view = viewTrees(paths, limits, now);
  const trees = view.verdicts.map(({ hash }) => requireTree(paths, hash));
  const needs = countNeeds(trees);
  const instances = listInstances(paths);
  const references = createReferences(paths);
  const blobs = lookAtBlobs(paths, trees, references, view, now);
  const candidates: Candidates = {
    trees: options.trees ? collectable(paths, view, trees, now) : [],
    orphans: options.trees ? instances.filter((id) => !needs.has(id)) : [],
    blobs: options.blobs ? blobs.unneeded.filter(({ since }) => !isInGrace(since, limits.blobGrace, now)) : [],
  };
  const { size, ...picked } = pick(paths, candidates, { trees, instances, needs, blobs: blobs.all }, options.maxSize);
  const going = new Set(picked.trees.map(({ hash }) => hash));
  const staying = trees.filter(({ hash }) => !going.has(hash));
  const packages = packageVictims(paths, instances, staying, picked);
  const released = going.size === 0 ? [] : releasedBlobs(paths, staying, references, blobs, now);
  // Without a grace there is nothing to wait for.
  const atOnce = options.blobs && limits.blobGrace === 0 && options.maxSize === undefined ? released : [];
  const blobVictims = [...picked.blobs, ...atOnce];
  const gone = new Set(blobVictims.map(({ digest }) => digest));
  const waiting = [...blobs.unneeded, ...released].filter(({ digest }) => !gone.has(digest));
  const { leftovers, living } = options.leftovers ? listLeftovers(paths) : { leftovers: [], living: [] };
  const notes = {
    blobs: new Map(waiting.map(({ digest, since }) => [digest, since])),
    trees: new Map(view.verdicts.flatMap(({ hash, retiredAt }) => noteOf(hash, retiredAt, view, going))),
  };
  const kept = options.explain
    ? keptThings({ view, going, staying, packages, instances, blobs: blobs.all, gone, living }, (digest) => {
        const since = notes.blobs.get(digest);
        return since === undefined ? undefined : { until: graceEnd(since, limits.blobGrace), now };
      })
    : [];
  return { trees: picked.trees, packages, blobs: blobVictims, leftovers, kept, notes, size };
}

/** Bytes that go with these packages: what they share with none that stays, once. */
export function freedBytes(packages: readonly PackageVictim[]): number {
  const shares = new Map(packages.map(({ share, shared, bytes }) => [share, shared ? 0 : bytes]));
  return [...shares.values()].reduce((sum, bytes) => sum + bytes, 0);
}

function noteOf(
  hash: LockfileHash,
  retiredAt: number | undefined,
  view: GcView,
  going: ReadonlySet<LockfileHash>,
): [LockfileHash, number][] {
  return retiredAt === undefined || going.has(hash) || !view.unmentioned.includes(hash) ? [] : [[hash, retiredAt]];
}

function countNeeds(trees: readonly TreeDescription[]): Map<InstanceId, number> {
  const needs = new Map<InstanceId, number>();
  for (const { instances } of trees) for (const id of instances) needs.set(id, (needs.get(id) ?? 0) + 1);
  return needs;
}

function collectable(paths: HostPaths, view: GcView, trees: readonly TreeDescription[], now: number): TreeVictim[] {
  return view.verdicts.flatMap(({ hash, keeps, retiredAt = now }, i) => {
    if (keeps.length > 0) return [];
    return [{ hash, retiredAt, bytes: treeBytes(paths, hash), instances: trees[i]?.instances ?? [] }];
  });
}

/** A tree's own files; the packages in it are links to instances. */
function treeBytes(paths: HostPaths, hash: LockfileHash): number {
  const folder = treePath(paths, hash);
  return sizeOf(join(folder, "tree.json")) + sizeOf(join(folder, "script-packages.lock"));
}

interface BlobView {
  all: readonly Digest[];
  /** Needed by a tree. */
  needed: ReadonlySet<Digest>;
  /** Needed by none, since when that is known; never in the future. */
  unneeded: readonly BlobVictim[];
}

function lookAtBlobs(
  paths: HostPaths,
  trees: readonly TreeDescription[],
  references: References,
  view: GcView,
  now: number,
): BlobView {
  const all = listBlobs(paths);
  const needed = new Set<Digest>();
  for (const tree of trees) for (const digest of references(tree)) needed.add(digest);
  const unneeded = all
    .filter((digest) => !needed.has(digest))
    .map((digest) => ({
      digest,
      bytes: blobBytes(paths, digest),
      since: Math.min(view.notes.blobs.get(digest) ?? now, now),
    }));
  return { all, needed, unneeded };
}

/** Blobs that only trees that go refer to: their grace begins now. */
function releasedBlobs(
  paths: HostPaths,
  staying: readonly TreeDescription[],
  references: References,
  blobs: BlobView,
  now: number,
): BlobVictim[] {
  const needed = new Set<Digest>();
  for (const tree of staying) for (const digest of references(tree)) needed.add(digest);
  return blobs.all
    .filter((digest) => blobs.needed.has(digest) && !needed.has(digest))
    .map((digest) => ({ digest, bytes: blobBytes(paths, digest), since: now }));
}

/** All candidates, or with a size to keep to as many as it takes. */
function pick(
  paths: HostPaths,
  candidates: Candidates,
  all: {
    trees: readonly TreeDescription[];
    instances: readonly InstanceId[];
    needs: ReadonlyMap<InstanceId, number>;
    blobs: readonly Digest[];
  },
  maxSize: number | undefined,
): Candidates & { size: GcPlan["size"] } {
  if (maxSize === undefined) return { ...candidates, size: undefined };
  const footprints = new Map(all.instances.map((id) => [id, footprint(paths, id)]));
  const shares = new Map([...footprints.values()].map(({ share, bytes }) => [share, bytes]));
  const sum = (sizes: Iterable<number>): number => [...sizes].reduce((total, size) => total + size, 0);
  const before =
    sum(shares.values()) +
    sum(all.blobs.map((digest) => blobBytes(paths, digest))) +
    sum(all.trees.map(({ hash }) => treeBytes(paths, hash)));
  const { after, ...picked } = limitToSize(candidates, { before, footprints, needs: all.needs }, maxSize);
  return { ...picked, size: { before, after } };
}

/** What no tree needs any more, in byte order, with what each takes. */
function packageVictims(
  paths: HostPaths,
  instances: readonly InstanceId[],
  staying: readonly TreeDescription[],
  picked: Pick<Candidates, "trees" | "orphans">,
): PackageVictim[] {
  const needed = countNeeds(staying);
  const going = new Set([...picked.orphans, ...picked.trees.flatMap((tree) => tree.instances)]);
  const victims = instances.filter((id) => going.has(id) && !needed.has(id));
  if (victims.length === 0) return [];
  // Only instances of one name and version can share files.
  const stem = (id: InstanceId): string => id.slice(0, id.lastIndexOf("-"));
  const stems = new Set(victims.map(stem));
  const gone = new Set(victims);
  const others = instances.filter((id) => !gone.has(id) && stems.has(stem(id)));
  const shares = new Set(others.map((id) => shareOf(paths, id)));
  return victims.map((id) => {
    const found = footprint(paths, id);
    return { id, ...found, shared: shares.has(found.share) };
  });
}
