/**
 * Moving a store: every release with its blobs is copied under new keys, read back and hashed; then the target's root
 * becomes what the source's was, and the source says where it went. Publications meanwhile are followed in further rounds.
 * Readers work throughout, a migration that broke off is taken up by the next one, and the source is never deleted.
 */
import { CspError } from "../core/errors.ts";
import type { LockfileHash } from "../core/lockfile-hash.ts";
import type { StoreKey } from "../core/store-key.ts";
import {
  abandonIntent,
  beginIntent,
  type Claim,
  completeObjects,
  emptyRoot,
  extendIntent,
  isRefusal,
  type Refusal,
} from "../core/store-protocol.ts";
import {
  type Copy,
  commitMigration,
  isSameContent,
  type MigrationRefusal,
  markMoved,
} from "../core/store-protocol-migrate.ts";
import type { StoreRoot } from "../core/store-root.ts";
import { randomNonce, type Store } from "../store/store.ts";
import type { Context } from "./context.ts";
import { copyRelease, type Migration, wasRevoked } from "./migrate-copy.ts";
import { readRoot, swapRoot } from "./store-change.ts";
import { createReferenceReader, type ReferenceReader, readReferences } from "./store-references.ts";
import { refusalError } from "./store-refusal.ts";
import { requireWriters } from "./store-writers.ts";

export interface MigrateOptions {
  /** Objects that are copied at once. */
  concurrency: number;
  /** What the source is to say where it went: the target as others reach it. */
  to: string;
}

export interface MigratePlan {
  releases: number;
  blobs: number;
  /** Bytes of all blobs, those that several releases share once. */
  bytes: number;
  /** True where the target holds the same already and the source was marked. */
  done: boolean;
}

export interface MigrateOutcome {
  releases: number;
  /** Blobs copied by this run, and their bytes. */
  copied: number;
  copiedBytes: number;
  /** Blobs that the target had. */
  reused: number;
  /** How often the source changed meanwhile. */
  rounds: number;
  /** False where the source cannot be written, so that it does not say where it went. */
  marked: boolean;
}

const mostRounds = 100;
/** How often collections may be faster. */
const mostRevocations = 5;

/** What there is to copy. Reads only. */
export async function planMigration(source: Store, target: Store): Promise<MigratePlan> {
  const reader = createReferenceReader(source);
  const { root } = await readReferences(source, reader, objectsOf);
  if (root === undefined) throw nothingToMove(source);
  const there = await readTarget(target, root);
  const objects = objectsOf(root);
  const sizes = new Map<string, number>();
  for (const each of objects) {
    for (const [digest, { size }] of reader.object(each)?.blobs ?? []) sizes.set(digest, size);
  }
  const bytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  const done = root.moved !== undefined && there !== undefined && there.generation > root.generation;
  return { releases: objects.length, blobs: sizes.size, bytes, done };
}

/** Migrates. Throws CSP_STORE_EMPTY, CSP_MIGRATE_TARGET, CSP_STORE_READ_ONLY and what requests throw. */
export async function applyMigration(
  ctx: Context,
  source: Store,
  target: Store,
  options: MigrateOptions,
): Promise<MigrateOutcome> {
  await requireWriters(ctx, target);
  const canMark = (await source.capabilities()).writers !== "none";
  const migration: Migration = {
    ctx,
    source,
    target,
    options,
    id: await randomNonce(),
    from: createReferenceReader(source),
    into: createReferenceReader(target),
    totals: { copied: 0, copiedBytes: 0, reused: 0, done: 0, bytes: 0, total: 0, totalBytes: 0 },
  };
  const copies = new Map<LockfileHash, Copy & { of: string }>();
  let revocations = 0;
  for (let round = 1; round <= mostRounds; round++) {
    const root = await holdSource(migration, canMark);
    if (root.moved !== undefined && root.moved.to !== options.to)
      throw refusalError(source, { refused: "moved", to: root.moved.to });
    // Nothing keeps any more what was copied under an intent that is gone.
    if (await holdTarget(migration, root)) copies.clear();
    try {
      await copyAll(migration, root, copies);
      const generation = await commit(migration, root, copies);
      const marked = canMark ? await mark(migration, root, generation, options.to) : await isStill(source, root);
      if (!marked) continue;
    } catch (error) {
      if (!(await wasRevoked(migration, canMark, error))) throw error;
      if (++revocations >= mostRevocations) throw refusalError(target, { refused: "revoked" });
      // What was copied under the lost intent may be gone; what is still there is found again.
      copies.clear();
      Object.assign(migration.totals, { done: 0, bytes: 0, total: 0, totalBytes: 0 });
      continue;
    }
    await release(target, migration.id, migration.into, ctx);
    const { copied, copiedBytes, reused } = migration.totals;
    return { releases: root.releases.size, copied, copiedBytes, reused, rounds: round, marked: canMark };
  }
  throw new CspError("CSP_STORE_BUSY", {
    message: `the store \`${source.address}\` was published to ${mostRounds} times while it was copied`,
    hint: "run `csp migrate` again when it is quieter; what was copied stays",
    data: { store: source.address },
  });
}

/** Reads the source's root and keeps all its releases from collections while they are copied. */
async function holdSource({ ctx, source, id, from }: Migration, canHold: boolean): Promise<StoreRoot> {
  for (;;) {
    const { root } = await readReferences(source, from, objectsOf);
    if (root === undefined) throw nothingToMove(source);
    const bases = objectsOf(root);
    if (!canHold || root.moved !== undefined) return root;
    const claim = { bases, reused: [], fresh: [] };
    const held = await swapRoot(source, (now) => {
      if (now === undefined) return { refused: "revoked" };
      return now.intents.has(id) ? extendIntent(now, { id, claim, at: ctx.now() }) : begin(now, ctx, id, claim);
    });
    if (!isRefusal(held) && isSameContent(held, root)) return held;
    if (isRefusal(held) && held.refused !== "gone") throw refusalError(source, held);
  }
}

function objectsOf({ releases }: StoreRoot): StoreKey[] {
  return [...releases.values()].map(({ object }) => object);
}

/** Sees to it that the target is the same store and that what is copied into it stays; true where only from now on. */
async function holdTarget({ ctx, source, target, id }: Migration, root: StoreRoot): Promise<boolean> {
  await readTarget(target, root);
  let anew = false;
  const empty = { bases: [], reused: [], fresh: [] };
  const held = await swapRoot(target, (now) => {
    const before = now ?? emptyRoot(root.store);
    if (before.intents.has(id)) return before;
    anew = true;
    return begin(before, ctx, id, empty);
  });
  if (isRefusal(held)) throw migrationError(source, target, held);
  return anew;
}

function begin(root: StoreRoot, ctx: Context, id: string, claim: Claim): StoreRoot | Refusal {
  return beginIntent(root, { id, purpose: "migrate", claim, at: ctx.now(), by: ctx.who });
}

/** The target's root. Throws CSP_MIGRATE_TARGET where it is another store. */
async function readTarget(target: Store, source: StoreRoot): Promise<StoreRoot | undefined> {
  const { root } = await readRoot(target);
  if (root !== undefined && root.store !== source.store) throw otherStore(target);
  return root;
}

/** Copies every release that has no copy yet, the newest first: what hosts want most is there first. */
async function copyAll(
  migration: Migration,
  root: StoreRoot,
  copies: Map<LockfileHash, Copy & { of: string }>,
): Promise<void> {
  const open = [...root.releases].filter(([hash, { object }]) => copies.get(hash)?.of !== object);
  open.sort(([, a], [, b]) => b.at - a.at);
  for (const [, { blobs, bytes }] of open) {
    migration.totals.total += blobs;
    migration.totals.totalBytes += bytes;
  }
  for (const [hash, { object }] of open) {
    const of = migration.from.object(object);
    if (of === undefined) throw new Error("a release that was read is not there");
    copies.set(hash, { ...(await copyRelease(migration, of)), of: object });
  }
}

/** Gives the target's generation once its releases and channels are the source's. */
async function commit(
  { ctx, source, target, id, into }: Migration,
  root: StoreRoot,
  copies: ReadonlyMap<LockfileHash, Copy>,
): Promise<number> {
  for (;;) {
    const { references } = await readReferences(target, into, completeObjects);
    const facts = { id, source: root, copies, references, at: ctx.now() };
    const committed = await swapRoot(target, (now) =>
      now === undefined ? { refused: "revoked" } : commitMigration(now, facts),
    );
    if (!isRefused(committed)) return committed.generation;
    if (committed.refused !== "unread") throw migrationError(source, target, committed);
  }
}

/** True where the source says now where it went; false where something was published since it was read. */
async function mark(
  { ctx, source, target, id }: Migration,
  copied: StoreRoot,
  generation: number,
  to: string,
): Promise<boolean> {
  const facts = { id, copied, generation, to, at: ctx.now(), by: ctx.who };
  const marked = await swapRoot(source, (now) => (now === undefined ? { refused: "revoked" } : markMoved(now, facts)));
  if (!isRefused(marked)) return true;
  if (marked.refused === "changed" || marked.refused === "behind") return false;
  throw migrationError(source, target, marked);
}

async function isStill(source: Store, copied: StoreRoot): Promise<boolean> {
  const { root } = await readRoot(source);
  return root !== undefined && isSameContent(root, copied);
}

/** Ends the intent in the target; what was copied is referred to by releases now. */
async function release(target: Store, id: string, into: ReferenceReader, ctx: Context): Promise<void> {
  const references = await into.read([]);
  const ended = await swapRoot(target, (now) =>
    now === undefined ? { refused: "revoked" } : abandonIntent(now, { id, at: ctx.now(), references }),
  );
  // A collection takes it back later where it is not ended now.
  if (isRefusal(ended) && ended.refused !== "revoked" && ended.refused !== "unread") throw refusalError(target, ended);
}

function isRefused(outcome: StoreRoot | MigrationRefusal): outcome is MigrationRefusal {
  return "refused" in outcome;
}

function migrationError(source: Store, target: Store, refusal: MigrationRefusal): CspError {
  switch (refusal.refused) {
    case "another-store":
      return otherStore(target);
    case "diverged":
      return new CspError("CSP_MIGRATE_TARGET", {
        message: `channel \`${refusal.channel}\` of \`${target.address}\` was moved there, and not in \`${source.address}\``,
        hint: "somebody publishes to the target already; migrate into an empty place",
        data: { store: target.address, channel: refusal.channel },
      });
    case "changed":
    case "behind":
      return refusalError(source, { refused: "revoked" });
    default:
      return refusalError(target, refusal);
  }
}

function otherStore(target: Store): CspError {
  return new CspError("CSP_MIGRATE_TARGET", {
    message: `\`${target.address}\` holds another store`,
    hint: "migrate into an empty place, or on with the place that an earlier migration of this store began to fill",
    data: { store: target.address },
  });
}

function nothingToMove(source: Store): CspError {
  return new CspError("CSP_STORE_EMPTY", {
    message: `nothing was published to the store \`${source.address}\` yet, so there is nothing to migrate`,
    hint: "configure the new address and run `csp publish`",
    data: { store: source.address },
  });
}
