/**
 * Collecting a store, by the protocol: keys that nothing refers to are doomed first and deleted a grace later, so that hosts
 * can finish with them and publishers can take them back. Any number of collectors and publishers may be at work, stopped or dead.
 */
import { isCspError } from "../core/errors.ts";
import { forEachLimited } from "../core/limiter.ts";
import type { StoreKey } from "../core/store-key.ts";
import { completeObjects, isRefusal, type Refusal } from "../core/store-protocol.ts";
import {
  type CollectionLimits,
  type CollectionPlan,
  clearDeleted,
  planCollection,
} from "../core/store-protocol-collect.ts";
import { judgeReleases, type Retention } from "../core/store-retention.ts";
import { formatStoreRoot, type StoreRoot } from "../core/store-root.ts";
import type { Store } from "../store/store.ts";
import type { Context } from "./context.ts";
import { swapRoot } from "./store-change.ts";
import { createReferenceReader, type ReferenceReader, readReferences } from "./store-references.ts";
import { refusalError } from "./store-refusal.ts";
import { requireWriters } from "./store-writers.ts";

/** What is there, and what would become of it. */
export interface StoreGcPlan {
  /** Undefined for a store that nothing was published to. */
  collection: CollectionPlan | undefined;
  root: StoreRoot | undefined;
  version: string | undefined;
  /** Why each release stays. */
  retention: Retention["kept"];
  /** Bytes of everything that the store lists, by key. */
  sizes: ReadonlyMap<StoreKey, number>;
}

export interface StoreGcOutcome {
  plan: StoreGcPlan;
  deleted: readonly StoreKey[];
  /** What could not be deleted, and why; the next collection tries again. */
  failed: readonly { key: StoreKey; message: string }[];
}

const deletions = 16;
const attempts = 30;

/** Lists, reads the root, reads every release, and judges. Changes nothing. Throws CSP_STORE_MOVED and what reading throws. */
export async function planStoreGc(ctx: Context, store: Store, limits: CollectionLimits): Promise<StoreGcPlan> {
  return plan(ctx, store, limits, createReferenceReader(store));
}

async function plan(
  ctx: Context,
  store: Store,
  limits: CollectionLimits,
  reader: ReferenceReader,
): Promise<StoreGcPlan> {
  // Keys first, then the root: whoever uploads has named the key in the root before.
  const sizes = new Map<StoreKey, number>();
  for await (const page of store.blobs.list()) {
    for (const { key, size } of page) sizes.set(key, size);
    ctx.progress({ phase: "check", done: sizes.size, total: 0, bytes: 0, totalBytes: 0 });
    ctx.signal.throwIfAborted();
  }
  for (;;) {
    const { root, version, references } = await readReferences(store, reader, completeObjects);
    if (root === undefined) return { collection: undefined, root, version, retention: new Map(), sizes };
    const collection = planCollection(root, { limits, references, listed: sizes.keys(), at: ctx.now() });
    if (!isRefusal(collection)) {
      return { collection, root, version, retention: judgeReleases(root, limits.keep).kept, sizes };
    }
    if (collection.refused !== "unread") throw refusalError(store, collection);
  }
}

/** Collects. A deletion that fails does not stop the others. */
export async function applyStoreGc(ctx: Context, store: Store, limits: CollectionLimits): Promise<StoreGcOutcome> {
  await requireWriters(ctx, store);
  const reader = createReferenceReader(store);
  const planned = await swapPlan(ctx, store, limits, reader);
  const going = planned.collection?.root.deleting ?? [];
  const deleted: StoreKey[] = [];
  const failed: { key: StoreKey; message: string }[] = [];
  await forEachLimited(going, deletions, async (key) => {
    ctx.signal.throwIfAborted();
    try {
      await store.blobs.delete(key);
      deleted.push(key);
    } catch (error) {
      if (!isCspError(error)) throw error;
      failed.push({ key, message: error.message });
    }
    const done = deleted.length + failed.length;
    ctx.progress({ phase: "collect", done, total: going.length, bytes: 0, totalBytes: 0 });
  });
  if (deleted.length > 0) await clear(store, deleted);
  return { plan: planned, deleted: deleted.sort(), failed };
}

/** Plans until the plan wins. The listing is made anew each time: what was uploaded meanwhile is not in the old one. */
async function swapPlan(
  ctx: Context,
  store: Store,
  limits: CollectionLimits,
  reader: ReferenceReader,
): Promise<StoreGcPlan> {
  for (let attempt = 1; ; attempt++) {
    const planned = await plan(ctx, store, limits, reader);
    const { collection, root, version } = planned;
    if (collection === undefined || collection.root === root) return planned;
    if ((await store.root.swap(version, formatStoreRoot(collection.root))) !== undefined) return planned;
    if (attempt >= attempts) throw refusalError(store, { refused: "revoked" });
  }
}

async function clear(store: Store, keys: readonly StoreKey[]): Promise<void> {
  const cleared: StoreRoot | Refusal = await swapRoot(store, (root) =>
    root === undefined ? { refused: "revoked" } : clearDeleted(root, keys),
  );
  if (isRefusal(cleared)) throw refusalError(store, cleared);
}
