/** Moving channels to releases that are there, and pinning them. */
import type { LockfileHash } from "./lockfile-hash.ts";
import { type Author, moveChannel, next, type Refusal } from "./store-protocol.ts";
import type { StoreRoot } from "./store-root.ts";

/** Points a channel at a release, or at what another channel points at. Going back is the same move. */
export function promote(
  root: StoreRoot,
  facts: { from: { release: LockfileHash } | { channel: string }; to: string; reason: string | null } & Author,
): StoreRoot | Refusal {
  const { from, to } = facts;
  if (root.moved !== undefined) return { refused: "moved", to: root.moved.to };
  const release = "release" in from ? from.release : root.channels.get(from.channel)?.release;
  if (release === undefined) return { refused: "no-channel", channel: "channel" in from ? from.channel : to };
  if (!root.releases.has(release)) return { refused: "no-release", release };
  const channels = moveChannel(root.channels, to, release, facts);
  if (channels === undefined) return { refused: "full", what: "channels" };
  return channels === root.channels ? root : next(root, { channels });
}

/** Keeps a release however old it gets. Pinning it again replaces who did it and why. */
export function pinRelease(
  root: StoreRoot,
  { hash, at, by, reason }: { hash: LockfileHash; reason: string | null } & Author,
): StoreRoot | Refusal {
  const release = root.releases.get(hash);
  if (root.moved !== undefined) return { refused: "moved", to: root.moved.to };
  if (release === undefined) return { refused: "no-release", release: hash };
  return next(root, { releases: new Map(root.releases).set(hash, { ...release, pin: { at, by, reason } }) });
}

/** Leaves a release to the collector again, once no channel needs it. */
export function unpinRelease(root: StoreRoot, { hash }: { hash: LockfileHash }): StoreRoot | Refusal {
  const release = root.releases.get(hash);
  if (root.moved !== undefined) return { refused: "moved", to: root.moved.to };
  if (release === undefined) return { refused: "no-release", release: hash };
  if (release.pin === undefined) return root;
  const { pin: _, ...rest } = release;
  return next(root, { releases: new Map(root.releases).set(hash, rest) });
}
