/** Uploading what a publication needs and the store lacks: from this host's cache, else straight from the registry. */
import { readFileSync } from "node:fs";
import { CspError, isCspError } from "../core/errors.ts";
import type { Digest } from "../core/integrity.ts";
import { createLimiter, forEachLimited } from "../core/limiter.ts";
import type { NeededBlob } from "../core/publish-set.ts";
import type { ReleaseBlob } from "../core/release.ts";
import type { StoreKey } from "../core/store-key.ts";
import type { Refusal } from "../core/store-protocol.ts";
import type { Store } from "../store/store.ts";
import { blobPath, hostPaths } from "../tree/layout.ts";
import type { Context } from "./context.ts";
import type { BlobSource } from "./source.ts";

/** Simultaneous uploads, and the bytes of theirs that may be in memory. */
const uploads = 16;
const bytesInFlight = 48 * 1024 * 1024;
const assumedSize = 1024 * 1024;
const largestBlob = 2 * 1024 ** 3;
/** How often a publication that takes long shows that it is alive. */
const keepEveryMs = 10 * 60_000;

export interface UploadRequest {
  needed: readonly NeededBlob[];
  /** What releases of the store have. */
  stored: ReadonlyMap<Digest, ReleaseBlob>;
  /** Keys under which an earlier attempt may have uploaded. */
  uncertain: ReadonlyMap<Digest, StoreKey>;
  /** New keys for the rest. */
  fresh: ReadonlyMap<Digest, StoreKey>;
  /** Called now and then while it lasts; a refusal ends the upload. */
  keep: () => Promise<Refusal | undefined>;
}

export interface Uploaded {
  /** Every needed blob. */
  blobs: Map<Digest, ReleaseBlob>;
  /** How many were uploaded, and their bytes. */
  count: number;
  bytes: number;
}

export async function uploadBlobs(
  ctx: Context,
  store: Store,
  source: BlobSource,
  { needed, stored, uncertain, fresh, keep }: UploadRequest,
): Promise<Uploaded | Refusal> {
  const result: Uploaded = { blobs: new Map(stored), count: 0, bytes: 0 };
  const open = needed.filter(({ digest }) => !stored.has(digest));
  const totalBytes = open.reduce((sum, { size }) => sum + (size ?? 0), 0);
  const memory = createLimiter(uploads, bytesInFlight);
  let kept = performance.now();
  let refusal: Refusal | undefined;
  let done = 0;
  // The largest first: what takes longest must not start last.
  const order = open.toSorted((a, b) => (b.size ?? assumedSize) - (a.size ?? assumedSize));
  await forEachLimited(order, uploads, async (blob) => {
    ctx.signal.throwIfAborted();
    if (refusal !== undefined) return;
    if (performance.now() - kept > keepEveryMs) {
      kept = performance.now();
      refusal = await keep();
    }
    const key = uncertain.get(blob.digest) ?? fresh.get(blob.digest);
    if (key === undefined) throw new Error(`no key for ${blob.digest}`);
    const there = uncertain.has(blob.digest) ? await store.blobs.size(key) : undefined;
    if (there !== undefined) result.blobs.set(blob.digest, { key, size: there });
    else {
      await memory.run(blob.size ?? assumedSize, async () => {
        const size = await upload(ctx, store, source, blob, key);
        result.blobs.set(blob.digest, { key, size });
        result.count++;
        result.bytes += size;
      });
    }
    ctx.progress({ phase: "upload", done: ++done, total: order.length, bytes: result.bytes, totalBytes });
  });
  return refusal ?? result;
}

/** The bytes of a blob out of the cache, where they may be damaged, else from `source`. */
export async function readNeeded(ctx: Context, source: BlobSource, blob: NeededBlob): Promise<Uint8Array> {
  return cached(ctx, blob) ?? source(blob, { maxBytes: blob.size ?? largestBlob });
}

function cached(ctx: Context, { digest }: NeededBlob): Uint8Array | undefined {
  try {
    return readFileSync(blobPath(hostPaths(ctx.dataRoot), digest));
  } catch {
    // Gone, damaged beyond reading, not ours: the registry has it.
    return undefined;
  }
}

/** The store compares the bytes with the digest in the key; gives their number. */
async function upload(
  ctx: Context,
  store: Store,
  source: BlobSource,
  blob: NeededBlob,
  key: StoreKey,
): Promise<number> {
  const here = cached(ctx, blob);
  try {
    if (here !== undefined) {
      await store.blobs.put(key, here);
      return here.byteLength;
    }
  } catch (error) {
    if (!isCspError(error, "CSP_STORE_CORRUPT")) throw error;
  }
  const bytes = await source(blob, { maxBytes: blob.size ?? largestBlob });
  if (new Bun.CryptoHasher("sha512").update(bytes).digest("hex") !== blob.digest) {
    throw new CspError("CSP_INTEGRITY", {
      message: `the registry has other bytes for \`${blob.name}@${blob.version}\` than were locked`,
      hint: "find out who changed the package; nothing was published",
      data: { name: blob.name, version: blob.version, digest: blob.digest },
    });
  }
  await store.blobs.put(key, bytes);
  return bytes.byteLength;
}
