/** What collecting would remove and what it keeps, as data. Reads only. */
import { join } from "node:path";
import type { InstanceId } from "../../core/closure.ts";
import { type GcLimits, graceEnd, isInGrace } from "../../core/gc-policy.ts";
import type { Digest } from "../../core/integrity.ts";
import type { LockfileHash } from "../../core/lockfile-hash.ts";
import type { TreeDescription } from "../../tree/description.ts";
import type { GcNotes } from "../../tree/gc-notes.ts";
import {
  blobBytes,
  createInstances,
  type Footprint,
  type Instances,
  listBlobs,
  listInstances,
  sizeOf,
  stemOf,
} from "../../tree/inventory.ts";
import { type HostPaths, hostPaths, treePath } from "../../tree/layout.ts";
import type { Context } from "../context.ts";
import { type Kept, keptThings } from "./kept.ts";
import { type Leftover, listLeftovers } from "./leftovers.ts";
import { createReferences } from "./references.ts";
import { type GcView, gcLimits, requireTree, viewTrees } from "./roots.ts";
import { type Candidates, limitToSize } from "./size.ts";

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
  /** True where an instance that stays has the same files, so that removing this one frees nothing; `bytes` is 0 then. */
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
  const ids = listInstances(paths);
  const instances = createInstances(paths);
  const blobs = listBlobs(paths);
  const referred = createReferences(paths, instances);
  const unneeded = knownUnneeded(blobs, view, () => referred(trees), now);
  const candidates: Candidates = {
    trees: options.trees ? collectable(paths, view, trees, now) : [],
    orphans: options.trees ? ids.filter((id) => !needs.has(id)) : [],
    blobs: options.blobs ? sized(paths, unneeded).filter(({ since }) => !isInGrace(since, limits.blobGrace, now)) : [],
  };
  const { size, ...picked } = pick(paths, candidates, { trees, ids, instances, needs, blobs }, options.maxSize);
  const going = new Set(picked.trees.map(({ hash }) => hash));
  const staying = trees.filter(({ hash }) => !going.has(hash));
  const packages = packageVictims(ids, instances, staying, picked);
  const needed = referred(staying);
  const waiting = new Map(
    blobs.flatMap((digest) => (needed.has(digest) ? [] : [[digest, unneeded.get(digest) ?? now]])),
  );
  // Without a grace there is nothing to wait for.
  const atOnce = options.blobs && limits.blobGrace === 0 && options.maxSize === undefined;
  const blobVictims = atOnce ? sized(paths, waiting) : picked.blobs;
  const gone = new Set(blobVictims.map(({ digest }) => digest));
  for (const digest of gone) waiting.delete(digest);
  const none = { leftovers: [], living: [] };
  const { leftovers, living } = options.leftovers ? listLeftovers(paths, ctx.project.directory) : none;
  const notes = {
    blobs: waiting,
    trees: new Map(view.verdicts.flatMap(({ hash, retiredAt }) => noteOf(hash, retiredAt, view, going))),
  };
  const kept = options.explain
    ? keptThings({ view, going, staying, packages, instances: ids, blobs, gone, living }, (digest) => {
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

function sized(paths: HostPaths, blobs: ReadonlyMap<Digest, number>): BlobVictim[] {
  return [...blobs].map(([digest, since]) => ({ digest, bytes: blobBytes(paths, digest), since }));
}

/**
 * Blobs that no tree refers to, and since when that is known, never in the future. One that a tree came to need meanwhile is
 * left out, so that its grace begins anew when that tree goes. All trees are looked at only if there is any such note.
 */
function knownUnneeded(
  blobs: readonly Digest[],
  view: GcView,
  referred: () => ReadonlySet<Digest>,
  now: number,
): Map<Digest, number> {
  const noted = blobs.filter((digest) => view.notes.blobs.has(digest));
  if (noted.length === 0) return new Map();
  const needed = referred();
  const times = noted.map((digest): [Digest, number] => [digest, Math.min(view.notes.blobs.get(digest) ?? now, now)]);
  return new Map(times.filter(([digest]) => !needed.has(digest)));
}

/** All candidates, or with a size to keep to as many as it takes. */
function pick(
  paths: HostPaths,
  candidates: Candidates,
  all: {
    trees: readonly TreeDescription[];
    ids: readonly InstanceId[];
    instances: Instances;
    needs: ReadonlyMap<InstanceId, number>;
    blobs: readonly Digest[];
  },
  maxSize: number | undefined,
): Candidates & { size: GcPlan["size"] } {
  if (maxSize === undefined) return { ...candidates, size: undefined };
  const footprints = new Map(
    all.ids.map((id) => [id, { bytes: all.instances.bytes(id), share: all.instances.share(id) }]),
  );
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
  ids: readonly InstanceId[],
  instances: Instances,
  staying: readonly TreeDescription[],
  picked: Pick<Candidates, "trees" | "orphans">,
): PackageVictim[] {
  const needed = countNeeds(staying);
  const going = new Set(picked.orphans);
  for (const tree of picked.trees) for (const id of tree.instances) going.add(id);
  const isVictim = (id: InstanceId): boolean => going.has(id) && !needed.has(id);
  const victims = ids.filter(isVictim);
  if (victims.length === 0) return [];
  const alike = new Map<string, InstanceId[]>();
  for (const id of victims) alike.set(stemOf(id), []);
  for (const id of ids) alike.get(stemOf(id))?.push(id);
  const shares = (id: InstanceId): string => (alike.get(stemOf(id))?.length === 1 ? id : instances.share(id));
  const kept = new Set([...alike.values()].flatMap((group) => group.filter((id) => !isVictim(id)).map(shares)));
  return victims.map((id) => {
    const share = shares(id);
    const shared = kept.has(share);
    return { id, bytes: shared ? 0 : instances.bytes(id), share, shared };
  });
}
