/** Proving that a store has every byte that its releases refer to. */
import { type CspError, isCspError } from "../core/errors.ts";
import type { Digest } from "../core/integrity.ts";
import { createLimiter, forEachLimited } from "../core/limiter.ts";
import type { LockedPackage } from "../core/lockfile.ts";
import type { LockfileHash } from "../core/lockfile-hash.ts";
import type { StoreKey } from "../core/store-key.ts";
import type { StoreRoot } from "../core/store-root.ts";
import type { Store } from "../store/store.ts";
import type { Context } from "./context.ts";
import { readRelease } from "./release-object.ts";
import { readRoot } from "./store-change.ts";

/** `unchecked`: nothing is known to be wrong, but the store did not give it. */
export type StoreFindingKind = "corrupt" | "missing" | "unchecked";

export interface StoreFinding {
  kind: StoreFindingKind;
  key: StoreKey;
  /** Lockfile hashes of the releases that need it, sorted. */
  releases: readonly LockfileHash[];
  /** `name@version` of a blob; undefined for a release object. */
  package: string | undefined;
  message: string;
}

/** A blob as the releases of a store have it. */
export interface StoredBlob {
  key: StoreKey;
  size: number;
  digest: Digest;
  pkg: Pick<LockedPackage, "name" | "version" | "tarball">;
  releases: LockfileHash[];
}

export interface StoreVerification {
  result: "sound" | "damaged" | "unchecked";
  findings: readonly StoreFinding[];
  checked: { releases: number; blobs: number; bytes: number };
  root: StoreRoot | undefined;
  /** Every blob that a readable release refers to. */
  blobs: ReadonlyMap<StoreKey, StoredBlob>;
}

const reads = 16;
const bytesInFlight = 64 * 1024 * 1024;

/** Reads every release and every blob of it. Changes nothing. Throws where the root itself cannot be read. */
export async function verifyStore(ctx: Context, store: Store): Promise<StoreVerification> {
  const findings: StoreFinding[] = [];
  const blobs = new Map<StoreKey, StoredBlob>();
  const { root } = await readRoot(store);
  for (const [hash, release] of root?.releases ?? []) {
    ctx.signal.throwIfAborted();
    try {
      const { object, lockfile } = await readRelease(store, hash, release);
      const packages = new Map<Digest, LockedPackage>();
      for (const pkg of lockfile.packages.values()) {
        if (pkg.integrity.kind === "strong") packages.set(pkg.integrity.digest, pkg);
      }
      for (const [digest, { key, size }] of object.blobs) {
        const known = blobs.get(key);
        if (known !== undefined) known.releases.push(hash);
        else blobs.set(key, { key, size, digest, pkg: packages.get(digest) as LockedPackage, releases: [hash] });
      }
    } catch (error) {
      findings.push({ ...finding(error), key: release.object, releases: [hash], package: undefined });
    }
  }
  const checked = { releases: root?.releases.size ?? 0, blobs: 0, bytes: 0 };
  const totalBytes = [...blobs.values()].reduce((sum, { size }) => sum + size, 0);
  const memory = createLimiter(reads, bytesInFlight);
  await forEachLimited([...blobs.values()], reads, ({ key, size, pkg, releases }) =>
    memory.run(size, async () => {
      ctx.signal.throwIfAborted();
      try {
        const bytes = await store.blobs.get(key, { maxBytes: size });
        checked.bytes += bytes.byteLength;
      } catch (error) {
        const found = await withSize(store, key, size, finding(error));
        findings.push({ ...found, key, releases: releases.sort(), package: `${pkg.name}@${pkg.version}` });
      }
      checked.blobs++;
      const { blobs: done, bytes } = checked;
      ctx.progress({ phase: "check", done, total: blobs.size, bytes, totalBytes });
    }),
  );
  const isDamaged = findings.some(({ kind }) => kind !== "unchecked");
  const result = isDamaged ? "damaged" : findings.length > 0 ? "unchecked" : "sound";
  findings.sort((a, b) => (a.key < b.key ? -1 : 1));
  return { result, findings, checked, root, blobs };
}

function finding(error: unknown): Pick<StoreFinding, "kind" | "message"> {
  if (!isCspError(error)) throw error;
  return { kind: kindOf(error), message: error.message };
}

/** An answer that could not be used may come from a proxy; an object of another size is the store's own. */
async function withSize<T extends Pick<StoreFinding, "kind" | "message">>(
  store: Store,
  key: StoreKey,
  size: number,
  found: T,
): Promise<T> {
  if (found.kind !== "unchecked") return found;
  try {
    const there = await store.blobs.size(key);
    return there === undefined || there === size ? found : { ...found, kind: "corrupt" };
  } catch {
    return found;
  }
}

function kindOf({ code }: CspError): StoreFindingKind {
  if (code === "CSP_STORE_MISSING") return "missing";
  return code === "CSP_STORE_CORRUPT" || code === "CSP_STORE_INVALID" ? "corrupt" : "unchecked";
}
