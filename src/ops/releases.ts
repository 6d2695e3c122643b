/** What a store offers: its releases and channels, and moving between them. */
import { CspError } from "../core/errors.ts";
import type { LockfileHash } from "../core/lockfile-hash.ts";
import { oneLine, quoted } from "../core/quote.ts";
import { isRefusal, type Refusal } from "../core/store-protocol.ts";
import { pinRelease, promote, unpinRelease } from "../core/store-protocol-channels.ts";
import type { ChannelMove, Release, StoreRoot } from "../core/store-root.ts";
import type { Store } from "../store/store.ts";
import { requireChannelName } from "./channel-name.ts";
import type { Context } from "./context.ts";
import { readRoot, swapRoot } from "./store-change.ts";
import { refusalError } from "./store-refusal.ts";
import { requireWriters } from "./store-writers.ts";

export interface ListedRelease extends Release {
  hash: LockfileHash;
  /** Channels that point at it, sorted. */
  channels: readonly string[];
}

/** Every release, the newest first. A store without a root has none. */
export async function listReleases(store: Store): Promise<ListedRelease[]> {
  const { root } = await readRoot(store);
  if (root === undefined) return [];
  const channels = [...root.channels].sort(([a], [b]) => (a < b ? -1 : 1));
  return [...root.releases]
    .map(([hash, release]) => ({
      hash,
      ...release,
      channels: channels.filter(([, channel]) => channel.release === hash).map(([name]) => name),
    }))
    .sort((a, b) => b.at - a.at || (a.hash < b.hash ? -1 : 1));
}

export interface ListedChannel {
  name: string;
  release: LockfileHash;
  /** The newest first. */
  history: readonly ChannelMove[];
}

/** Every channel by name. */
export async function listChannels(store: Store): Promise<ListedChannel[]> {
  const { root } = await readRoot(store);
  const channels = [...(root?.channels ?? [])].map(([name, channel]) => ({ name, ...channel }));
  return channels.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** What changed, or would. */
export interface ChannelChange {
  channel: string;
  from: LockfileHash | undefined;
  to: LockfileHash;
}

/** Points `channel` at what `source` names: another channel, or the beginning of a release's hash. */
export async function promoteTo(
  ctx: Context,
  store: Store,
  options: { source: string; channel: string; reason: string | undefined; dryRun: boolean },
): Promise<ChannelChange> {
  const { source, channel, dryRun } = options;
  requireChannelName(channel);
  const { root } = await readRoot(store);
  const to = findRelease(store, root, source);
  const from = root?.channels.get(channel)?.release;
  if (dryRun || from === to) return { channel, from, to };
  await change(ctx, store, (now) =>
    promote(now, { from: { release: to }, to: channel, ...author(ctx, options.reason) }),
  );
  return { channel, from, to };
}

/** Pins a release, or takes its pin away; false where it was so already. */
export async function setPin(
  ctx: Context,
  store: Store,
  options: { release: string; pinned: boolean; reason: string | undefined; dryRun: boolean },
): Promise<{ hash: LockfileHash; changed: boolean }> {
  const { root } = await readRoot(store);
  const hash = findRelease(store, root, options.release);
  const changed = (root?.releases.get(hash)?.pin !== undefined) !== options.pinned;
  if (options.dryRun || !changed) return { hash, changed };
  const facts = { hash, ...author(ctx, options.reason) };
  await change(ctx, store, (now) => (options.pinned ? pinRelease(now, facts) : unpinRelease(now, facts)));
  return { hash, changed };
}

/** The release that a channel's name or the beginning of a hash means. Throws CSP_RELEASE_UNKNOWN. */
export function findRelease(store: Store, root: StoreRoot | undefined, text: string): LockfileHash {
  const channel = root?.channels.get(text);
  if (channel !== undefined) return channel.release;
  const hashes = [...(root?.releases.keys() ?? [])];
  const found = /^[0-9a-f]{4,64}$/.test(text) ? hashes.filter((hash) => hash.startsWith(text)) : [];
  if (found.length === 1) return found[0] as LockfileHash;
  throw new CspError("CSP_RELEASE_UNKNOWN", {
    message:
      found.length === 0
        ? `the store \`${store.address}\` has no release or channel ${quoted(text)}`
        : `${found.length} releases of the store \`${store.address}\` begin with ${quoted(text)}`,
    details: found.slice(0, 10),
    hint:
      found.length === 0
        ? "run `csp releases` to see which there are; four characters of a hash are enough"
        : "write more of the hash",
    data: { store: store.address, wanted: text, found },
  });
}

async function change(
  ctx: Context,
  store: Store,
  transition: (root: StoreRoot) => StoreRoot | Refusal,
): Promise<StoreRoot> {
  await requireWriters(ctx, store);
  const changed = await swapRoot(store, (root) =>
    root === undefined ? { refused: "no-channel", channel: "" } : transition(root),
  );
  if (isRefusal(changed)) throw refusalError(store, changed);
  return changed;
}

function author(ctx: Context, reason: string | undefined): { at: number; by: string; reason: string | null } {
  return { at: ctx.now(), by: ctx.who, reason: reason === undefined ? null : oneLine(reason) };
}
