/**
 * How a collector changes a store's root. One round: list all keys, then read the root, read the objects that
 * `completeObjects` names, swap in `planCollection`, delete what is in `deleting`, swap in `clearDeleted`.
 */

import { byteOrder } from "./location.ts";
import type { LockfileHash } from "./lockfile-hash.ts";
import type { StoreKey } from "./store-key.ts";
import {
  completeObjects,
  doom,
  follow,
  isRefusal,
  lapsed,
  next,
  type References,
  type Refusal,
} from "./store-protocol.ts";
import { judgeReleases } from "./store-retention.ts";
import { type Intent, rootLimits, type StoreRoot } from "./store-root.ts";

/** Times in milliseconds. */
export interface CollectionLimits {
  /** Distinct releases that stay in each channel. */
  keep: number;
  /** How long a key is doomed before it is deleted: the time that hosts have to finish with it. */
  grace: number;
  /** Age from which an intent is taken for dead. */
  intentLimit: number;
}

export interface CollectionPlan {
  /** What to swap in; the root itself where nothing is to be done. */
  root: StoreRoot;
  dropped: readonly LockfileHash[];
  revoked: readonly string[];
  /** Keys that were not doomed before. */
  doomed: readonly StoreKey[];
  /** Keys that were not in `deleting` before, orphans included. */
  deleting: readonly StoreKey[];
  /** Keys that were there without being referred to: what late uploads of the dead leave. */
  orphans: readonly StoreKey[];
}

/**
 * Drops the releases that no longer count and revokes dead intents; dooms what these alone referred to; moves what has been
 * doomed for the grace, and orphans, to `deleting`. `listed`: keys that a listing gave which ended before this root was read
 * (an upload is preceded by its intent, so one that was listed and stands nowhere is nobody's). Times in the future count
 * from now.
 */
export function planCollection(
  root: StoreRoot,
  facts: { limits: CollectionLimits; references: References; listed: Iterable<StoreKey>; at: number },
): CollectionPlan | Refusal {
  const { limits, references, at } = facts;
  if (root.moved !== undefined) return { refused: "moved", to: root.moved.to };
  const everything = follow(completeObjects(root), references);
  if (isRefusal(everything)) return everything;

  const { kept, channels } = judgeReleases(root, limits.keep);
  const releases = new Map([...root.releases].filter(([hash]) => kept.has(hash)));
  const intents = new Map<string, Intent>();
  for (const [id, intent] of root.intents)
    if (!isOver(intent.at, limits.intentLimit, at)) intents.set(id, { ...intent, at: Math.min(intent.at, at) });
  const live = livingKeys({ releases, intents }, references);
  const dropped = [...root.releases].filter(([hash]) => !releases.has(hash));
  const revoked = [...root.intents].filter(([id]) => !intents.has(id));
  const ended = [...dropped.map(([, { object }]) => object), ...revoked.flatMap(([, { bases }]) => bases)];
  const candidates = [...revoked.flatMap(([, { keys }]) => keys), ...lapsed(ended, { releases, intents }, references)];

  const doomed = new Map<StoreKey, number>();
  const due: StoreKey[] = [];
  for (const [key, since] of doom(root, { releases, intents }, candidates, at)) {
    if (live.has(key)) continue;
    if (isOver(since, limits.grace, at)) due.push(key);
    else doomed.set(key, Math.min(since, at));
  }
  const accounted = new Set([...live, ...doomed.keys(), ...due, ...root.deleting]);
  const orphans = [...new Set(facts.listed)].filter((key) => !accounted.has(key)).sort(byteOrder);
  // What does not fit stays doomed, or an orphan, for the next round.
  const room = Math.max(0, rootLimits.keys - root.deleting.length);
  const leaving = [...due, ...orphans].slice(0, room);
  for (const key of due.slice(room)) doomed.set(key, Math.min(root.doomed.get(key) ?? at, at));
  const changed = next(root, {
    channels,
    releases,
    intents,
    doomed,
    deleting: [...root.deleting, ...leaving].sort(byteOrder),
  });
  return {
    root: isSame(root, changed) ? root : changed,
    dropped: dropped.map(([hash]) => hash).sort(byteOrder),
    revoked: revoked.map(([id]) => id).sort(byteOrder),
    doomed: [...doomed.keys(), ...due].filter((key) => !root.doomed.has(key)).sort(byteOrder),
    deleting: leaving.sort(byteOrder),
    orphans,
  };
}

/** Strikes out keys whose deletion succeeded, whoever deleted them. */
export function clearDeleted(root: StoreRoot, keys: Iterable<StoreKey>): StoreRoot {
  const cleared = new Set(keys);
  const deleting = root.deleting.filter((key) => !cleared.has(key));
  return deleting.length === root.deleting.length ? root : next(root, { deleting });
}

/** Every key that may be referred to, now or later. */
export function livingKeys(
  { releases, intents }: Pick<StoreRoot, "releases" | "intents">,
  references: References,
): Set<StoreKey> {
  const closure = follow(completeObjects({ releases, intents }), references);
  if (isRefusal(closure)) throw new Error("the references of a living object are not known");
  for (const { keys } of intents.values()) for (const key of keys) closure.keys.add(key);
  return closure.keys;
}

/** A time in the future has no age yet. */
function isOver(since: number, limit: number, now: number): boolean {
  return Math.max(0, now - since) >= limit;
}

/** Transitions replace what they change, but for what a round writes anew every time. */
function isSame(before: StoreRoot, after: StoreRoot): boolean {
  const times = (intents: StoreRoot["intents"]): string => JSON.stringify([...intents].map(([id, { at }]) => [id, at]));
  return (
    before.releases.size === after.releases.size &&
    [...before.channels].every(([name, channel]) => after.channels.get(name) === channel) &&
    times(before.intents) === times(after.intents) &&
    before.doomed.size === after.doomed.size &&
    [...before.doomed].every(([key, since]) => after.doomed.get(key) === since) &&
    before.deleting.length === after.deleting.length
  );
}
