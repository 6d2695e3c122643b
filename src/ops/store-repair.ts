/**
 * Putting back what a store lacks or has spoiled: under the same keys, from this host's cache, a further store, or the
 * registry. A release object can only come from a further store; else the release is published again.
 */
import { CspError, isCspError } from "../core/errors.ts";
import { digestOfKey, type StoreKey } from "../core/store-key.ts";
import type { Store } from "../store/store.ts";
import type { Context } from "./context.ts";
import { readNeeded } from "./publish-upload.ts";
import type { BlobSource } from "./source.ts";
import { type StoreFinding, type StoreVerification, verifyStore } from "./store-verify.ts";
import { requireWriters } from "./store-writers.ts";

export interface StoreRepair {
  before: StoreVerification;
  after: StoreVerification;
  restored: readonly StoreKey[];
  /** What could not be had, and why. */
  failed: readonly { key: StoreKey; message: string }[];
}

const largestObject = 2 * 1024 ** 3;

/** Verifies, restores what is corrupt or missing, and verifies again. */
export async function repairStore(
  ctx: Context,
  store: Store,
  sources: { others: readonly Store[]; registry: BlobSource },
): Promise<StoreRepair> {
  await requireWriters(ctx, store);
  const before = await verifyStore(ctx, store);
  const damaged = before.findings.filter(({ kind }) => kind !== "unchecked");
  const restored: StoreKey[] = [];
  const failed: { key: StoreKey; message: string }[] = [];
  for (const finding of damaged) {
    ctx.signal.throwIfAborted();
    try {
      await restore(store, finding, await goodBytes(ctx, before, finding, sources));
      restored.push(finding.key);
    } catch (error) {
      if (!isCspError(error)) throw error;
      failed.push({ key: finding.key, message: error.message });
    }
  }
  const after = damaged.length === 0 ? before : await verifyStore(ctx, store);
  return { before, after, restored, failed };
}

/** What is spoiled has to go first: an object that is there is never overwritten. */
async function restore(store: Store, { kind, key }: StoreFinding, bytes: Uint8Array): Promise<void> {
  if (kind === "corrupt") await store.blobs.delete(key);
  await store.blobs.put(key, bytes);
}

/** Right bytes, or the error of the last source. */
async function goodBytes(
  ctx: Context,
  { blobs }: StoreVerification,
  { key }: StoreFinding,
  { others, registry }: { others: readonly Store[]; registry: BlobSource },
): Promise<Uint8Array> {
  for (const other of others) {
    try {
      return await other.blobs.get(key, { maxBytes: largestObject });
    } catch (error) {
      if (!isCspError(error)) throw error;
    }
  }
  const blob = blobs.get(key);
  if (blob === undefined) throw lost(key);
  const { digest, size, pkg } = blob;
  const wanted = { digest, size, name: pkg.name, version: pkg.version, tarball: pkg.tarball };
  const here = await readNeeded(ctx, registry, wanted);
  if (isRight(key, here)) return here;
  return registry(wanted, { maxBytes: size });
}

function isRight(key: StoreKey, bytes: Uint8Array): boolean {
  return new Bun.CryptoHasher("sha512").update(bytes).digest("hex") === digestOfKey(key);
}

function lost(key: StoreKey): CspError {
  return new CspError("CSP_STORE_MISSING", {
    message: "a release's own object can only come from another store",
    hint: "run `csp publish` with the same lockfile; the release is then written anew",
    data: { key },
  });
}
