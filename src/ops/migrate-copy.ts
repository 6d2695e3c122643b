/** Copying one release into another store: blobs under new keys, read back and hashed, then the release that refers to them. */
import { isCspError } from "../core/errors.ts";
import type { Digest } from "../core/integrity.ts";
import { createLimiter, forEachLimited } from "../core/limiter.ts";
import { byteOrder } from "../core/location.ts";
import { formatReleaseObject, type ReleaseBlob, type ReleaseObject } from "../core/release.ts";
import { digestOfKey, type StoreKey, storeKey } from "../core/store-key.ts";
import { type Claim, completeObjects, extendIntent, isRefusal } from "../core/store-protocol.ts";
import { chooseKeys } from "../core/store-protocol-keys.ts";
import { type Copy, settleCopy } from "../core/store-protocol-migrate.ts";
import type { Store } from "../store/store.ts";
import type { Context } from "./context.ts";
import { readRoot, swapRoot } from "./store-change.ts";
import { type ReferenceReader, readReferences } from "./store-references.ts";
import { refusalError } from "./store-refusal.ts";

/** What was done so far, of what there is to do. */
export interface Copied {
  copied: number;
  copiedBytes: number;
  reused: number;
  done: number;
  bytes: number;
  total: number;
  totalBytes: number;
}

/** One copying of releases from store to store. */
export interface Migration {
  ctx: Context;
  source: Store;
  target: Store;
  options: { concurrency: number };
  /** The intent in the target; the same number in the source, where that has one. */
  id: string;
  from: ReferenceReader;
  into: ReferenceReader;
  totals: Copied;
}

const bytesInFlight = 24 * 1024 * 1024;
/** How often keys may have been collected between the choice and the claim. */
const attempts = 10;

/** Copies a release, or finds the copy that an earlier migration made. */
export async function copyRelease(migration: Migration, object: ReleaseObject): Promise<Copy> {
  const { target, id, into } = migration;
  const keys = await claimKeys(migration, object);
  const blobs = new Map<Digest, ReleaseBlob>();
  const memory = createLimiter(migration.options.concurrency, bytesInFlight);
  const order = [...object.blobs].sort(([, a], [, b]) => b.size - a.size);
  await forEachLimited(order, migration.options.concurrency, ([digest, { key: from, size }]) =>
    memory.run(size, async () => {
      migration.ctx.signal.throwIfAborted();
      const stored = keys.stored.get(digest);
      const key = stored ?? keys.uncertain.get(digest) ?? keys.fresh.get(digest);
      if (key === undefined) throw new Error(`no key for ${digest}`);
      if (stored !== undefined) migration.totals.reused++;
      else await copyBlob(migration, from, key, size, keys.uncertain.has(digest));
      blobs.set(digest, { key, size });
      report(migration, size);
    }),
  );
  const { hash, lockfile, platforms } = object;
  const sorted = new Map([...blobs].sort(([one], [other]) => byteOrder(one, other)));
  const text = formatReleaseObject({ hash, lockfile, platforms, blobs: sorted });
  const bytes = Buffer.from(text);
  const digest = new Bun.CryptoHasher("sha512").update(bytes).digest("hex");
  // The same bytes are the same copy, of an earlier round or of a migration that broke off.
  const settled = keys.settled.find((key) => digestOfKey(key) === digest);
  const own = settled ?? (await putObject(migration, bytes, digest));
  const copy: Copy = { object: own, size: bytes.length, keys: [...sorted.values()].map(({ key }) => key) };
  await into.read([own]);
  const { references } = await readReferences(target, into, completeObjects);
  const held = await swapRoot(target, (root) =>
    root === undefined ? { refused: "revoked" } : settleCopy(root, { id, copy, references }),
  );
  if (isRefusal(held)) throw refusalError(target, held);
  return copy;
}

interface Chosen {
  stored: ReadonlyMap<Digest, StoreKey>;
  uncertain: ReadonlyMap<Digest, StoreKey>;
  fresh: ReadonlyMap<Digest, StoreKey>;
  /** Objects that are complete in the target. */
  settled: readonly StoreKey[];
}

/** Chooses where each blob goes and claims all these keys for the intent. */
async function claimKeys(migration: Migration, object: ReleaseObject): Promise<Chosen> {
  const { ctx, source, target, id, into } = migration;
  const fresh = new Map<Digest, StoreKey>();
  for (let attempt = 1; ; attempt++) {
    const { root } = await readRoot(target);
    if (root === undefined) throw refusalError(target, { refused: "revoked" });
    const complete = completeObjects(root);
    const references = await into.readSound(complete);
    const chosen = chooseKeys(root, { wanted: object.blobs.keys(), references, prefer: complete });
    for (const digest of chosen.missing) {
      if (fresh.has(digest)) continue;
      const { key, size } = object.blobs.get(digest) as ReleaseBlob;
      const nonce = await target.nonce(() => source.blobs.get(key, { maxBytes: size }));
      fresh.set(digest, storeKey({ kind: "blobs", digest, nonce }));
    }
    const needed = chosen.missing.map((digest) => fresh.get(digest) as StoreKey);
    const claim: Claim = { bases: chosen.bases, reused: [...chosen.reused.values()], fresh: needed };
    const held = await swapRoot(target, (now) =>
      now === undefined ? { refused: "revoked" } : extendIntent(now, { id, claim, at: ctx.now() }),
    );
    if (!isRefusal(held)) {
      return { stored: chosen.stored, uncertain: chosen.reused, fresh, settled: complete };
    }
    if (held.refused !== "gone" || attempt >= attempts) throw refusalError(target, held);
  }
}

/** Copies and reads back; both ends compare the bytes with the digest. One that an earlier attempt left is only read. */
async function copyBlob(
  { source, target, totals }: Migration,
  from: StoreKey,
  to: StoreKey,
  size: number,
  mayBeThere: boolean,
): Promise<void> {
  if (mayBeThere && (await target.blobs.size(to)) === size) {
    await target.blobs.get(to, { maxBytes: size });
    totals.reused++;
    return;
  }
  await target.blobs.put(to, await source.blobs.get(from, { maxBytes: size }));
  await target.blobs.get(to, { maxBytes: size });
  totals.copied++;
  totals.copiedBytes += size;
}

async function putObject({ ctx, target, id }: Migration, bytes: Uint8Array, digest: Digest): Promise<StoreKey> {
  const key = storeKey({ kind: "releases", digest, nonce: await target.nonce(async () => bytes) });
  const claim: Claim = { bases: [], reused: [], fresh: [key] };
  const held = await swapRoot(target, (root) =>
    root === undefined ? { refused: "revoked" } : extendIntent(root, { id, claim, at: ctx.now() }),
  );
  if (isRefusal(held)) throw refusalError(target, held);
  await target.blobs.put(key, bytes);
  return key;
}

/**
 * Whether it failed because a collection had taken it for dead, so that it can begin anew: it was told so, or what it had
 * claimed is gone with its claim.
 */
export async function wasRevoked(
  { source, target, id }: Pick<Migration, "source" | "target" | "id">,
  holdsSource: boolean,
  error: unknown,
): Promise<boolean> {
  if (isCspError(error, "CSP_PUBLISH_REVOKED")) return true;
  if (!isCspError(error, "CSP_STORE_MISSING")) return false;
  const holds = async (store: Store): Promise<boolean> => {
    const { root } = await readRoot(store);
    return root?.moved !== undefined || root?.intents.has(id) === true;
  };
  return !(await holds(target)) || (holdsSource && !(await holds(source)));
}

function report({ ctx, totals }: Migration, size: number): void {
  totals.done++;
  totals.bytes += size;
  ctx.progress({
    phase: "copy",
    done: totals.done,
    total: totals.total,
    bytes: totals.bytes,
    totalBytes: totals.totalBytes,
  });
}
