/** Writing a bundle: what channels of a store point at, in one file, without what the receiver has. */
import { randomBytes } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type BundleHead, bundleEntry, bundleFormat, headName, rootName } from "../core/bundle.ts";
import { CspError } from "../core/errors.ts";
import { byteOrder } from "../core/location.ts";
import type { LockfileHash } from "../core/lockfile-hash.ts";
import { quoted } from "../core/quote.ts";
import type { ReleaseBlob } from "../core/release.ts";
import type { StoreKey } from "../core/store-key.ts";
import { type Channel, formatStoreRoot, type Release, type StoreRoot } from "../core/store-root.ts";
import { tarEnd, tarHeader, tarPadding } from "../core/tar-write.ts";
import { syncDirectory } from "../fs/durable.ts";
import { describeOsError } from "../fs/os-error.ts";
import type { Store } from "../store/store.ts";
import type { Context } from "./context.ts";
import { findRelease } from "./releases.ts";
import { readRoot } from "./store-change.ts";
import { createReferenceReader } from "./store-references.ts";

export interface BundleOptions {
  /** Channels whose present releases go in; all where none is named. */
  channels: readonly string[];
  /** Releases, or channels, whose blobs the receiver has. */
  since: readonly string[];
}

export interface BundlePlan {
  root: StoreRoot;
  releases: readonly LockfileHash[];
  since: readonly LockfileHash[];
  /** Release objects first, then blobs, in byte order; bytes each. */
  objects: readonly ReleaseBlob[];
  blobs: number;
  /** Of all objects. */
  bytes: number;
  /** Blobs that are left out because of `since`. */
  skipped: number;
}

const readAhead = 8;

/** Plans a bundle. Throws CSP_STORE_EMPTY, CSP_CHANNEL_UNKNOWN or CSP_RELEASE_UNKNOWN. */
export async function planBundle(store: Store, options: BundleOptions): Promise<BundlePlan> {
  const { root } = await readRoot(store);
  if (root === undefined || root.channels.size === 0) {
    throw new CspError("CSP_STORE_EMPTY", {
      message: `nothing was published to the store \`${store.address}\` yet`,
      hint: "run `csp publish` first",
    });
  }
  const names = options.channels.length > 0 ? options.channels : [...root.channels.keys()];
  const part = partOf(store, root, names);
  const since = options.since.map((text) => findRelease(store, root, text)).sort(byteOrder);
  const reader = createReferenceReader(store);
  const objectOf = (hash: LockfileHash): StoreKey => root.releases.get(hash)?.object as StoreKey;
  await reader.read([...part.releases.keys(), ...since].map(objectOf));
  const had = new Set(since.flatMap((hash) => [...(reader.object(objectOf(hash))?.blobs.keys() ?? [])]));
  const blobs = new Map<string, ReleaseBlob>();
  let skipped = 0;
  for (const hash of part.releases.keys()) {
    for (const [digest, blob] of reader.object(objectOf(hash))?.blobs ?? []) {
      if (had.has(digest)) skipped++;
      else blobs.set(digest, blob);
    }
  }
  const own = [...part.releases.values()].map(({ object, size }) => ({ key: object, size }));
  const order = (a: ReleaseBlob, b: ReleaseBlob): number => byteOrder(a.key, b.key);
  const objects = [...own.sort(order), ...[...blobs.values()].sort(order)];
  const bytes = objects.reduce((sum, { size }) => sum + size, 0);
  return {
    root: part,
    releases: [...part.releases.keys()].sort(byteOrder),
    since,
    objects,
    blobs: blobs.size,
    bytes,
    skipped,
  };
}

/** The root with these channels as they are now, and the releases they point at. */
function partOf(store: Store, root: StoreRoot, names: readonly string[]): StoreRoot {
  const channels = new Map<string, Channel>();
  const releases = new Map<LockfileHash, Release>();
  for (const name of names) {
    const channel = root.channels.get(name);
    const release = channel === undefined ? undefined : root.releases.get(channel.release);
    if (channel === undefined || release === undefined) {
      throw new CspError("CSP_CHANNEL_UNKNOWN", {
        message: `the store \`${store.address}\` has no channel ${quoted(name)}`,
        hint: "run `csp channels` to see which there are",
      });
    }
    const { pin: _, ...unpinned } = release;
    releases.set(channel.release, unpinned);
    channels.set(name, { release: channel.release, history: channel.history.slice(0, 1) });
  }
  return {
    store: root.store,
    generation: root.generation,
    channels,
    releases,
    intents: new Map(),
    doomed: new Map(),
    deleting: [],
  };
}

/** Writes the bundle beside its final name and renames it there, durably. */
export async function writeBundle(ctx: Context, store: Store, plan: BundlePlan, path: string): Promise<void> {
  const temporary = join(dirname(path), `.csp-bundle-${randomBytes(8).toString("hex")}`);
  try {
    const file = await open(temporary, "wx", 0o644);
    try {
      await writeEntries(ctx, store, plan, file);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    syncDirectory(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true });
    throw describeOsError(error) ?? error;
  }
}

async function writeEntries(ctx: Context, store: Store, plan: BundlePlan, file: FileHandle): Promise<void> {
  const now = ctx.now();
  const add = async (name: string, bytes: Uint8Array): Promise<void> => {
    await file.writev([tarHeader(name, bytes.byteLength, now), bytes, new Uint8Array(tarPadding(bytes.byteLength))]);
  };
  const { since, root, objects } = plan;
  const head: BundleHead = { format: bundleFormat, created: new Date(now).toISOString(), by: ctx.who, since };
  await add(headName, Buffer.from(`${JSON.stringify(head, null, 1)}\n`));
  await add(rootName, Buffer.from(formatStoreRoot(root)));
  // Read ahead, written in order.
  const reading: Promise<Uint8Array>[] = [];
  const ask = (index: number): void => {
    const object = objects[index];
    if (object === undefined) return;
    const bytes = store.blobs.get(object.key, { maxBytes: object.size });
    bytes.catch(() => {});
    reading.push(bytes);
  };
  for (let index = 0; index < readAhead; index++) ask(index);
  let bytes = 0;
  for (const [index, object] of objects.entries()) {
    ctx.signal.throwIfAborted();
    await add(bundleEntry(object.key), (await reading[index]) as Uint8Array);
    delete reading[index];
    ask(index + readAhead);
    bytes += object.size;
    ctx.progress({ phase: "copy", done: index + 1, total: objects.length, bytes, totalBytes: plan.bytes });
  }
  await file.writev([tarEnd]);
}
