/**
 * How a migration changes the roots of two stores. Both have an intent of it all along: in the source one whose bases are
 * the releases being copied, in the target one that holds the copies' keys, which are new. A release that is copied in full
 * becomes a base of the latter (`settleCopy`), so the root never lists more keys than one release has. Rounds of
 * `commitMigration` follow the source until `markMoved` finds that nothing was published since the last.
 */
import { byteOrder } from "./location.ts";
import type { LockfileHash } from "./lockfile-hash.ts";
import type { StoreKey } from "./store-key.ts";
import {
  type Author,
  completeObjects,
  doom,
  follow,
  isRefusal,
  lapsed,
  next,
  type References,
  type Refusal,
  without,
} from "./store-protocol.ts";
import type { ChannelMove, Release, StoreRoot } from "./store-root.ts";

/** Why a migration cannot go on. */
export type MigrationRefusal =
  | Refusal
  /** The target has been the home of other releases. */
  | { refused: "another-store"; store: string }
  /** Somebody published to the target meanwhile, or it was filled from elsewhere. */
  | { refused: "diverged"; channel: string }
  /** The source's channels or releases are not those that were copied: copy what is new. */
  | { refused: "changed" }
  /** The target's generation would be lower than the source's: commit to the target again. */
  | { refused: "behind" };

/**
 * Lets an intent hold a copied release by its object alone. The object and all that it refers to have been uploaded and read
 * back under it, or are complete in the target already; `references` of its bases. Refused as `gone` where neither is so,
 * such as for a complete object that a collector has taken since it was found.
 */
export function settleCopy(
  target: StoreRoot,
  { id, copy, references }: { id: string; copy: Copy; references: References },
): StoreRoot | Refusal {
  const intent = target.intents.get(id);
  if (target.moved !== undefined) return { refused: "moved", to: target.moved.to };
  if (intent === undefined) return { refused: "revoked" };
  if (intent.bases.includes(copy.object)) return target;
  const held = follow(intent.bases, references);
  if (isRefusal(held)) return held;
  const referred = [copy.object, ...copy.keys];
  const own = new Set(intent.keys);
  const isComplete = completeObjects(target).includes(copy.object);
  const gone = isComplete ? [] : referred.filter((key) => !own.has(key) && !held.keys.has(key));
  if (gone.length > 0) return { refused: "gone", keys: gone };
  for (const key of referred) own.delete(key);
  const bases = [...intent.bases, copy.object].sort(byteOrder);
  return next(target, { intents: new Map(target.intents).set(id, { ...intent, bases, keys: [...own] }) });
}

/** A release as it lies in the target. */
export interface Copy {
  object: StoreKey;
  /** Bytes of the object, which has other keys in it than the source's. */
  size: number;
  /** What it refers to. */
  keys: readonly StoreKey[];
}

/** Room for changes of the source, by collectors, between the last round and the mark. */
const slack = 1000;

/**
 * Makes the target's channels and releases those of the source as it was read. Every release of the source has a copy, under
 * the intent `id` or retained by the target already. The intent stays. The generation becomes greater than the source's, so
 * that hosts which follow are not given an older one.
 */
export function commitMigration(
  target: StoreRoot,
  facts: {
    id: string;
    source: StoreRoot;
    copies: ReadonlyMap<LockfileHash, Copy>;
    /** Of all that the target's releases and this intent's bases were. */
    references: References;
    at: number;
  },
): StoreRoot | MigrationRefusal {
  const { id, source, copies, references, at } = facts;
  if (target.moved !== undefined) return { refused: "moved", to: target.moved.to };
  const intent = target.intents.get(id);
  if (intent === undefined) return { refused: "revoked" };
  if (target.store !== source.store) return { refused: "another-store", store: target.store };
  const channel = findDivergence(target, source);
  if (channel !== undefined) return { refused: "diverged", channel };

  const before = [...target.releases.values()].map(({ object }) => object);
  const held = follow([...before, ...intent.bases], references);
  if (isRefusal(held)) return held;
  for (const key of intent.keys) held.keys.add(key);
  const releases = new Map<LockfileHash, Release>();
  for (const [hash, release] of source.releases) {
    const copy = copies.get(hash);
    if (copy === undefined) throw new Error(`release ${hash} was not copied`);
    for (const key of [copy.object, ...copy.keys])
      if (!held.keys.has(key)) throw new Error(`a copy refers to what its intent does not hold: ${key}`);
    releases.set(hash, { ...release, object: copy.object, size: copy.size });
  }
  const living = { releases, intents: target.intents };
  return {
    ...next(target, {
      channels: source.channels,
      releases,
      doomed: doom(target, living, lapsed(before, living, references), at),
    }),
    generation: Math.max(target.generation, source.generation + slack) + 1,
  };
}

/**
 * The end of the source: it changes no more. `copied` is the source's root of the last round, `generation` the target's
 * after it. A mark that is there already and leads to the same place stays.
 */
export function markMoved(
  source: StoreRoot,
  { id, copied, generation, to, at, by }: { id: string; copied: StoreRoot; generation: number; to: string } & Author,
): StoreRoot | MigrationRefusal {
  if (source.moved !== undefined) return source.moved.to === to ? source : { refused: "moved", to: source.moved.to };
  if (!isSameContent(source, copied)) return { refused: "changed" };
  if (source.generation + 1 >= generation) return { refused: "behind" };
  return next(source, { moved: { to, at, by }, intents: without(source.intents, id) });
}

/** True where channels and releases are the same, whatever collectors and publishers were about. */
export function isSameContent(a: StoreRoot, b: StoreRoot): boolean {
  return a.store === b.store && contentText(a) === contentText(b);
}

function contentText({ channels, releases }: StoreRoot): string {
  const sorted = (entries: ReadonlyMap<string, unknown>): unknown[] =>
    [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([sorted(channels), sorted(releases)]);
}

/** A channel of the target whose last move the source's has not seen. */
function findDivergence(target: StoreRoot, source: StoreRoot): string | undefined {
  const text = (move: ChannelMove): string => JSON.stringify([move.at, move.by, move.reason, move.release]);
  for (const [name, { history }] of target.channels) {
    const [last] = history;
    const seen = source.channels.get(name)?.history ?? [];
    if (last !== undefined && !seen.some((move) => text(move) === text(last))) return name;
  }
  return undefined;
}
