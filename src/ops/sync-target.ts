/** What a channel wants of this host: the store's root, followed where the store was moved, and never one that is older. */
import { CspError } from "../core/errors.ts";
import type { LockfileHash } from "../core/lockfile-hash.ts";
import { quoted } from "../core/quote.ts";
import { judgeRoot } from "../core/store-protocol-reader.ts";
import { parseStoreRoot, type Release, type StoreRoot } from "../core/store-root.ts";
import type { Store } from "../store/store.ts";
import type { SyncState } from "../tree/sync-state.ts";
import type { Context } from "./context.ts";
import { open } from "./stores.ts";

/** The channel where none is named. */
export const defaultChannel = "stable";

export interface SyncTarget {
  /** The store that answered: another than the configured one where that was moved. */
  store: Store;
  channel: string;
  hash: LockfileHash;
  /** The release's entry; undefined where the store said that nothing changed since `state`. */
  release: Release | undefined;
  changed: boolean;
  /** True where an older state was asked for. */
  trusted: boolean;
  /** To be kept once the host is there. */
  state: SyncState;
}

export interface TargetOptions {
  channel: string;
  /** Take a state of the store that is older than the one seen before, or another store in its place. */
  allowOlder: boolean;
  /** Milliseconds to wait for a change, where the store can be told to. */
  wait?: number;
}

const mostMoves = 5;

/** Asks the store; one small request where nothing changed, unless the answer is to be `fresh`. Throws CSP_STORE_EMPTY, CSP_CHANNEL_UNKNOWN, CSP_STORE_OLDER. */
export async function findTarget(
  ctx: Context,
  configured: Store,
  seen: SyncState | undefined,
  options: TargetOptions,
  { fresh = options.allowOlder } = {},
): Promise<SyncTarget> {
  const { channel, allowOlder, wait } = options;
  const { address } = configured;
  const own = seen?.address === address ? seen : undefined;
  let store = configured;
  for (let moves = 0; moves <= mostMoves; moves++) {
    // A version belongs to the store that gave it, so after a move it means nothing.
    const known = moves === 0 && own?.channel === channel && !fresh ? own : undefined;
    const read = await store.root.read(known?.version, wait === undefined ? {} : { wait });
    if (read === undefined) throw empty(store);
    if (read === "unchanged") {
      if (known === undefined) throw new Error(`${store.kind} store: unchanged since nothing`);
      const { release: hash } = known;
      return { store, channel, hash, release: undefined, changed: false, trusted: false, state: known };
    }
    const root = parseStoreRoot(read.text);
    if (!allowOlder) refuseOlder(store, root, own);
    if (root.moved !== undefined) {
      store = await follow(ctx, store, root, root.moved.to);
      continue;
    }
    const hash = root.channels.get(channel)?.release;
    const release = hash === undefined ? undefined : root.releases.get(hash);
    if (hash === undefined || release === undefined) throw unknownChannel(store, root, channel);
    const { generation } = root;
    // What a moved store says is remembered without a version: the configured one is asked again each time.
    const version = moves === 0 ? read.version : "";
    const state = { format: 1 as const, address, store: root.store, generation, version, channel, release: hash };
    return { store, channel, hash, release, changed: true, trusted: allowOlder, state };
  }
  throw new CspError("CSP_STORE_MOVED", {
    message: `the store \`${address}\` was moved more than ${mostMoves} times`,
    hint: "configure the address where it is now",
    data: { store: address, now: store.address },
  });
}

async function follow(ctx: Context, store: Store, root: StoreRoot, to: string): Promise<Store> {
  ctx.warn({
    code: "CSP_WARN_STORE_MOVED",
    message: `the store \`${store.address}\` was moved to ${quoted(to)}`,
    hint: "configure the new address on this host",
  });
  const next = await open(ctx, to);
  const read = await next.root.read();
  const found = read === undefined || read === "unchanged" ? undefined : parseStoreRoot(read.text).store;
  if (found === root.store) return next;
  throw new CspError("CSP_STORE_INVALID", {
    message: `the store \`${store.address}\` says that it was moved to \`${next.address}\`, where another store is`,
    hint: "ask whoever moved it, and configure the right address",
    data: { store: store.address, to: next.address },
  });
}

function refuseOlder(store: Store, root: StoreRoot, seen: SyncState | undefined): void {
  const verdict = judgeRoot(root, seen);
  if (seen === undefined || (verdict !== "older" && verdict !== "another")) return;
  const other = verdict === "another";
  throw new CspError("CSP_STORE_OLDER", {
    message: other
      ? `there is another store at \`${store.address}\` than this host has synced with`
      : `the store \`${store.address}\` shows generation ${root.generation}, and this host has seen ${seen.generation}`,
    details: [
      "somebody may have put back an old copy, and with it packages that were replaced for a reason",
      "scripts keep running on the current tree",
    ],
    hint: "if that is meant, run `csp sync --allow-older` once",
    data: { store: store.address, generation: root.generation, seen: seen.generation, other },
  });
}

function empty(store: Store): CspError {
  return new CspError("CSP_STORE_EMPTY", {
    message: `nothing was published to the store \`${store.address}\` yet`,
    hint: "run `csp publish` where the allowlist is",
    data: { store: store.address },
  });
}

function unknownChannel(store: Store, root: StoreRoot, channel: string): CspError {
  const names = [...root.channels.keys()].sort();
  return new CspError("CSP_CHANNEL_UNKNOWN", {
    message: `the store \`${store.address}\` has no channel ${quoted(channel)}`,
    details: [names.length === 0 ? "it has none at all" : `it has ${names.map(quoted).join(", ")}`],
    hint: "say which with `--channel <name>`, or make it with `csp publish --channel <name>`",
    data: { store: store.address, channel, channels: names },
  });
}
