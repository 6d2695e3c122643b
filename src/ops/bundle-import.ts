/** Taking a bundle into a store: its blobs under new keys, its releases, and its channels. */
import { CspError, isCspError } from "../core/errors.ts";
import type { LockfileHash } from "../core/lockfile-hash.ts";
import {
  beginIntent,
  commitPublish,
  completeObjects,
  emptyRoot,
  isRefusal,
  type Refusal,
} from "../core/store-protocol.ts";
import type { ChannelMove, Release, StoreRoot } from "../core/store-root.ts";
import { randomNonce, type Store } from "../store/store.ts";
import type { Context } from "./context.ts";
import { copyRelease, type Migration, wasRevoked } from "./migrate-copy.ts";
import { readRoot, swapRoot } from "./store-change.ts";
import { createReferenceReader, readReferences } from "./store-references.ts";
import { refusalError } from "./store-refusal.ts";
import { requireWriters } from "./store-writers.ts";

export interface ImportOptions {
  concurrency: number;
  /** Move channels also where they were moved later than the bundle knows. */
  allowOlder: boolean;
}

export interface ImportedChannel {
  name: string;
  from: LockfileHash | undefined;
  to: LockfileHash;
}

export interface ImportPlan {
  channels: readonly ImportedChannel[];
  releases: number;
}

export interface ImportOutcome extends ImportPlan {
  copied: number;
  copiedBytes: number;
  reused: number;
}

/** How often collections may be faster. */
const attempts = 5;

/** What an import would move. Throws CSP_STORE_OLDER for a channel that was moved later than the bundle knows. */
export async function planImport(bundle: Store, target: Store, options: ImportOptions): Promise<ImportPlan> {
  const root = await bundleRoot(bundle);
  const { root: there } = await readRoot(target);
  if (there?.moved !== undefined) throw refusalError(target, { refused: "moved", to: there.moved.to });
  const channels = [...root.channels].map(([name, { release }]) => ({
    name,
    from: there?.channels.get(name)?.release,
    to: release,
  }));
  for (const [name, { history }] of root.channels) {
    const last = there?.channels.get(name)?.history[0];
    const [move] = history;
    if (options.allowOlder || last === undefined || move === undefined || last.at <= move.at) continue;
    if (last.release === move.release) continue;
    throw new CspError("CSP_STORE_OLDER", {
      message: `channel \`${name}\` of \`${target.address}\` was moved after this bundle was made`,
      details: [`moved ${new Date(last.at).toISOString()}; in the bundle ${new Date(move.at).toISOString()}`],
      hint: "import the newer bundle, or go back on purpose with `--allow-older`",
      data: { channel: name },
    });
  }
  return { channels: channels.sort((a, b) => (a.name < b.name ? -1 : 1)), releases: root.releases.size };
}

/** Imports: one release after the other, each with its channels. What broke off is taken up by the next import. */
export async function applyImport(
  ctx: Context,
  bundle: Store,
  target: Store,
  options: ImportOptions,
): Promise<ImportOutcome> {
  await requireWriters(ctx, target);
  const plan = await planImport(bundle, target, options);
  const root = await bundleRoot(bundle);
  const from = createReferenceReader(bundle);
  await from.read([...root.releases.values()].map(({ object }) => object));
  const totals = { copied: 0, copiedBytes: 0, reused: 0, done: 0, bytes: 0, total: 0, totalBytes: 0 };
  for (const { blobs, bytes } of root.releases.values()) {
    totals.total += blobs;
    totals.totalBytes += bytes;
  }
  const into = createReferenceReader(target);
  for (const [hash, release] of root.releases) {
    const channels = [...root.channels].filter(([, channel]) => channel.release === hash);
    for (const [name, { history }] of channels) {
      const move = history[0] ?? { release: hash, at: release.at, by: release.by, reason: release.reason };
      for (let attempt = 1; ; attempt++) {
        const id = await randomNonce();
        const migration: Migration = { ctx, source: bundle, target, options, id, from, into, totals };
        try {
          await importRelease(migration, { hash, release, name, move });
          break;
        } catch (error) {
          if (attempt >= attempts || !(await wasRevoked(migration, false, error))) throw error;
        }
      }
    }
  }
  const { copied, copiedBytes, reused } = totals;
  return { ...plan, copied, copiedBytes, reused };
}

async function importRelease(
  migration: Migration,
  { hash, release, name, move }: { hash: LockfileHash; release: Release; name: string; move: ChannelMove },
): Promise<void> {
  const { ctx, target, id, from, into } = migration;
  const fresh = await randomNonce();
  const claim = { bases: [], reused: [], fresh: [] };
  const begun = await swapRoot(target, (root) =>
    beginIntent(root ?? emptyRoot(fresh), { id, purpose: "publish", claim, at: ctx.now(), by: ctx.who }),
  );
  if (isRefusal(begun)) throw refusalError(target, begun);
  const object = from.object(release.object);
  if (object === undefined) throw new Error("a release that was read is not there");
  const copy = await copyRelease(migration, object).catch((error) => {
    throw isCspError(error, "CSP_STORE_MISSING") ? needsMore(migration.source, error) : error;
  });
  const facts = {
    id,
    hash,
    release: { ...release, object: copy.object, size: copy.size },
    keys: copy.keys,
    channel: name,
    at: move.at,
    by: move.by,
    reason: move.reason,
  };
  for (;;) {
    const { references } = await readReferences(target, into, completeObjects);
    const committed: StoreRoot | Refusal = await swapRoot(target, (now) =>
      now === undefined ? { refused: "revoked" } : commitPublish(now, { ...facts, references }),
    );
    if (!isRefusal(committed)) return;
    if (committed.refused !== "unread") throw refusalError(target, committed);
  }
}

async function bundleRoot(bundle: Store): Promise<StoreRoot> {
  const { root } = await readRoot(bundle);
  if (root === undefined) throw new Error("a bundle without a root");
  return root;
}

function needsMore(bundle: Store, cause: CspError): CspError {
  return new CspError("CSP_STORE_MISSING", {
    message: `\`${bundle.address}\` builds on a release that this store does not have`,
    details: [cause.message],
    hint: "import the bundle before it first, or make one with everything: `csp bundle create` without `--since`",
    data: cause.data,
    cause,
  });
}
