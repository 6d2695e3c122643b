/** Which releases a store keeps, and why. Pure, so that the collector, its dry run and lists of releases judge alike. */
import type { LockfileHash } from "./lockfile-hash.ts";
import type { Channel, StoreRoot } from "./store-root.ts";

/** Why a release stays: `back` is 0 for a channel's present release, 1 for the one before it. */
export type KeptBecause = { channel: string; back: number } | { pin: true };

export interface Retention {
  /** Every release that stays, with all the reasons. */
  kept: ReadonlyMap<LockfileHash, readonly KeptBecause[]>;
  /** The channels without the moves that only led to what no longer counts for them. */
  channels: ReadonlyMap<string, Channel>;
}

/**
 * The last `keep` distinct releases of each channel, and pinned ones. A channel's present release stays whatever `keep` is.
 * A release that several moves led to counts once, as the newest of them.
 */
export function judgeReleases(
  { channels, releases }: Pick<StoreRoot, "channels" | "releases">,
  keep: number,
): Retention {
  const kept = new Map<LockfileHash, KeptBecause[]>();
  const because = (hash: LockfileHash, why: KeptBecause): void => {
    const reasons = kept.get(hash);
    if (reasons === undefined) kept.set(hash, [why]);
    else reasons.push(why);
  };
  const trimmed = new Map<string, Channel>();
  for (const [name, channel] of channels) {
    const last = [...new Set([channel.release, ...channel.history.map(({ release }) => release)])];
    const counted = last.slice(0, Math.max(1, keep));
    for (const [back, hash] of counted.entries()) because(hash, { channel: name, back });
    const stays = counted.length === last.length;
    const history = stays ? channel.history : channel.history.filter(({ release }) => counted.includes(release));
    trimmed.set(name, stays ? channel : { ...channel, history });
  }
  for (const [hash, { pin }] of releases) if (pin !== undefined) because(hash, { pin: true });
  return { kept, channels: trimmed };
}
