/**
 * Publishing a lockfile: an intent names what will be referred to, then the missing blobs are uploaded, then the intent
 * becomes the release and the channel moves. Nothing is visible before that last swap; what a publication that broke off
 * has uploaded, the next one takes up.
 */
import type { Allowlist } from "../core/allowlist.ts";
import { isCspError } from "../core/errors.ts";
import { buildGraph } from "../core/graph.ts";
import type { Digest } from "../core/integrity.ts";
import { byteOrder } from "../core/location.ts";
import { type LockfileHash, lockfileHash } from "../core/lockfile-hash.ts";
import { platformName } from "../core/platform.ts";
import { type NeededBlob, neededBlobs } from "../core/publish-set.ts";
import { oneLine } from "../core/quote.ts";
import { formatReleaseObject, type ReleaseBlob } from "../core/release.ts";
import { type StoreKey, storeKey } from "../core/store-key.ts";
import {
  beginIntent,
  commitPublish,
  emptyRoot,
  extendIntent,
  isRefusal,
  type Refusal,
} from "../core/store-protocol.ts";
import { promote } from "../core/store-protocol-channels.ts";
import { type ChosenKeys, chooseKeys } from "../core/store-protocol-keys.ts";
import type { Release, StoreRoot } from "../core/store-root.ts";
import { randomNonce, type Store } from "../store/store.ts";
import { requireChannelName } from "./channel-name.ts";
import type { Context } from "./context.ts";
import { readProject } from "./install.ts";
import { fileNames, type ReadLockfile } from "./project.ts";
import { uploadBlobs } from "./publish-upload.ts";
import { registrySource } from "./source.ts";
import { readRoot, swapRoot } from "./store-change.ts";
import { createReferenceReader, likelyObjects, type ReferenceReader } from "./store-references.ts";
import { refusalError } from "./store-refusal.ts";

export interface PublishOptions {
  channel: string;
  reason: string | undefined;
}

/** What a publication would do. */
export interface PublishPlan {
  hash: LockfileHash;
  lockfile: string;
  channel: string;
  /** Where the channel points now. */
  from: LockfileHash | undefined;
  /** Nothing at all; only the channel's move; or the whole publication. */
  step: "nothing" | "promote" | "publish";
  /** Platform names, sorted; empty for all. */
  platforms: readonly string[];
  needed: readonly NeededBlob[];
  /** Which of them the store has, and which must be looked for or uploaded. */
  chosen: ChosenKeys;
  root: StoreRoot;
  version: string | undefined;
}

export interface PublishOutcome {
  plan: PublishPlan;
  uploaded: number;
  uploadedBytes: number;
  /** Blobs that were in the store already, also where a broken publication left them. */
  reused: number;
  reusedBytes: number;
}

/** What stays the same over all attempts of one publication. */
interface Publisher {
  ctx: Context;
  store: Store;
  options: PublishOptions;
  allowlist: Allowlist;
  locked: ReadLockfile;
  reader: ReferenceReader;
}

/** How often collections may be faster. */
const attempts = 5;

/** Plans a publication of the project's lockfile, which must match the allowlist. Reads only. */
export function planPublish(ctx: Context, store: Store, options: PublishOptions): Promise<PublishPlan> {
  return plan(prepare(ctx, store, options));
}

/** Publishes; throws CSP_STORE_MOVED, CSP_STORE_READ_ONLY, CSP_PUBLISH_REVOKED and what requests throw. */
export async function applyPublish(ctx: Context, store: Store, options: PublishOptions): Promise<PublishOutcome> {
  const publisher = prepare(ctx, store, options);
  for (let attempt = 1; ; attempt++) {
    const planned = await plan(publisher);
    let outcome: PublishOutcome | Refusal;
    try {
      outcome = await (planned.step === "publish" ? publish(publisher, planned) : move(publisher, planned));
    } catch (error) {
      // A registry may collect what no release refers to yet: it says so when the release comes, and has it uploaded again.
      if (!isCspError(error, "CSP_STORE_MISSING") || attempt >= attempts) throw error;
      continue;
    }
    if (!isRefusal(outcome)) return outcome;
    const mayPass = outcome.refused === "revoked" || outcome.refused === "gone" || outcome.refused === "unread";
    if (!mayPass || attempt >= attempts) throw refusalError(store, outcome);
  }
}

function prepare(ctx: Context, store: Store, options: PublishOptions): Publisher {
  requireChannelName(options.channel);
  const { allowlist, locked } = readProject(ctx, { frozen: true });
  if (locked === undefined) throw new Error("a frozen project without a lockfile");
  return { ctx, store, options, allowlist, locked, reader: createReferenceReader(store) };
}

async function plan({ ctx, store, options, allowlist, locked, reader }: Publisher): Promise<PublishPlan> {
  const needed = neededBlobs(buildGraph(locked.lockfile, fileNames(ctx).lockfile), allowlist.platforms);
  const hash = lockfileHash(locked.lockfile);
  const platforms = (allowlist.platforms ?? []).map(platformName).sort(byteOrder);
  const { root = emptyRoot(await randomNonce()), version } = await readRoot(store);
  if (root.moved !== undefined) throw refusalError(store, { refused: "moved", to: root.moved.to });
  const prefer = likelyObjects(root, hash, options.channel);
  const wanted = needed.map(({ digest }) => digest);
  const chosen = chooseKeys(root, { wanted, references: await reader.readSound(prefer), prefer });
  const from = root.channels.get(options.channel)?.release;
  const whole = isWhole(root, reader, hash, platforms, wanted);
  const step = !whole ? "publish" : from === hash ? "nothing" : "promote";
  return {
    hash,
    lockfile: locked.text,
    channel: options.channel,
    from,
    step,
    platforms,
    needed,
    chosen,
    root,
    version,
  };
}

/** True where the release is there, for the same platforms and with all blobs. */
function isWhole(
  root: StoreRoot,
  reader: ReferenceReader,
  hash: LockfileHash,
  platforms: readonly string[],
  wanted: readonly Digest[],
): boolean {
  const release = root.releases.get(hash);
  const object = release === undefined ? undefined : reader.object(release.object);
  return (
    object !== undefined &&
    Bun.deepEquals(object.platforms, platforms) &&
    object.blobs.size === wanted.length &&
    wanted.every((digest) => object.blobs.has(digest))
  );
}

async function move(publisher: Publisher, planned: PublishPlan): Promise<PublishOutcome | Refusal> {
  const { store } = publisher;
  const bytes = planned.root.releases.get(planned.hash)?.bytes ?? 0;
  const outcome = { plan: planned, uploaded: 0, uploadedBytes: 0, reused: planned.needed.length, reusedBytes: bytes };
  if (planned.step === "nothing") return outcome;
  await requireWriters(publisher);
  const facts = { from: { release: planned.hash }, to: planned.channel, ...signature(publisher) };
  const moved = await swapRoot(store, (root) => (root === undefined ? { refused: "revoked" } : promote(root, facts)));
  return isRefusal(moved) ? moved : outcome;
}

async function publish(publisher: Publisher, planned: PublishPlan): Promise<PublishOutcome | Refusal> {
  const { ctx, store, allowlist, reader } = publisher;
  await requireWriters(publisher);
  const { bases, reused } = planned.chosen;
  let id = "";
  let fresh: ReadonlyMap<Digest, StoreKey> = new Map();
  const begun = await swapRoot(store, async (root = emptyRoot(planned.root.store)) => {
    // Drawn for each swap anew: one that counted as refused may have stood, and collectors be about to delete its keys.
    id = await randomNonce();
    fresh = await drawKeys(publisher, planned);
    const claim = { bases, reused: [...reused.values()], fresh: [...fresh.values()] };
    return beginIntent(root, { id, purpose: "publish", claim, ...signature(publisher) });
  });
  if (isRefusal(begun)) return begun;

  const keep = async (keys: readonly StoreKey[]): Promise<Refusal | undefined> => {
    const more = { bases: [], reused: [], fresh: keys };
    const kept = await swapRoot(store, (root) =>
      root === undefined ? { refused: "revoked" } : extendIntent(root, { id, claim: more, at: ctx.now() }),
    );
    return isRefusal(kept) ? kept : undefined;
  };
  const uploaded = await uploadBlobs(ctx, store, registrySource(ctx, allowlist), {
    needed: planned.needed,
    stored: storedBlobs(planned, reader),
    uncertain: reused,
    fresh,
    keep: () => keep([]),
  });
  if (isRefusal(uploaded)) return uploaded;

  const blobs = new Map([...uploaded.blobs].sort(([one], [other]) => byteOrder(one, other)));
  const { hash, lockfile, platforms } = planned;
  const object = Buffer.from(formatReleaseObject({ hash, lockfile, platforms, blobs }));
  const digest = new Bun.CryptoHasher("sha512").update(object).digest("hex");
  const objectKey = await newKey(store, "releases", digest, async () => object);
  const revoked = await keep([objectKey]);
  if (revoked !== undefined) return revoked;
  await store.blobs.put(objectKey, object);

  const { at, by, reason } = signature(publisher);
  const bytes = [...blobs.values()].reduce((sum, { size }) => sum + size, 0);
  const release: Release = {
    object: objectKey,
    size: object.length,
    at,
    by,
    reason,
    blobs: blobs.size,
    bytes,
    platforms,
  };
  const keys = [...blobs.values()].map(({ key }) => key);
  const committed = await commit(publisher, { id, hash, release, keys, channel: planned.channel, at, by, reason });
  if (isRefusal(committed)) return committed;
  const { count, bytes: uploadedBytes } = uploaded;
  return {
    plan: planned,
    uploaded: count,
    uploadedBytes,
    reused: blobs.size - count,
    reusedBytes: bytes - uploadedBytes,
  };
}

/**
 * Reads what the transition needs to know until it is told or wins: the object of a release that is replaced. One that is
 * spoiled refers to nothing any more; what it had becomes orphans, for collections.
 */
async function commit(
  { store, reader }: Publisher,
  facts: Omit<Parameters<typeof commitPublish>[1], "references">,
): Promise<StoreRoot | Refusal> {
  const spoiled = new Set<StoreKey>();
  for (;;) {
    const known = await reader.read([]);
    const references = new Map([...known, ...[...spoiled].map((key) => [key, []] as const)]);
    const committed = await swapRoot(store, (root) =>
      root === undefined ? { refused: "revoked" } : commitPublish(root, { ...facts, references }),
    );
    if (!isRefusal(committed) || committed.refused !== "unread") return committed;
    const read = await reader.readSound(committed.objects);
    for (const key of committed.objects) if (!read.has(key)) spoiled.add(key);
  }
}

/** The blobs that releases of the store have, with their sizes. */
function storedBlobs({ chosen }: PublishPlan, reader: ReferenceReader): Map<Digest, ReleaseBlob> {
  const stored = new Map<Digest, ReleaseBlob>();
  for (const base of chosen.bases) {
    for (const [digest, blob] of reader.object(base)?.blobs ?? []) {
      if (chosen.stored.get(digest) === blob.key) stored.set(digest, blob);
    }
  }
  return stored;
}

async function drawKeys({ ctx, store, allowlist }: Publisher, planned: PublishPlan): Promise<Map<Digest, StoreKey>> {
  const { readNeeded } = await import("./publish-upload.ts");
  const source = registrySource(ctx, allowlist);
  const byDigest = new Map(planned.needed.map((blob) => [blob.digest, blob]));
  const keys = new Map<Digest, StoreKey>();
  for (const digest of planned.chosen.missing) {
    const blob = byDigest.get(digest) as NeededBlob;
    keys.set(digest, await newKey(store, "blobs", digest, () => readNeeded(ctx, source, blob)));
  }
  return keys;
}

async function newKey(
  store: Store,
  kind: "blobs" | "releases",
  digest: Digest,
  bytes: () => Promise<Uint8Array>,
): Promise<StoreKey> {
  return storeKey({ kind, digest, nonce: await store.nonce(bytes) });
}

function signature({ ctx, options }: Publisher): { at: number; by: string; reason: string | null } {
  const { reason } = options;
  return { at: ctx.now(), by: ctx.who, reason: reason === undefined ? null : oneLine(reason) };
}

/** Refuses stores that cannot keep writers apart; says where one writer must be ensured from outside. */
async function requireWriters({ ctx, store }: Publisher): Promise<void> {
  const { requireWriters: require } = await import("./store-writers.ts");
  await require(ctx, store);
}
