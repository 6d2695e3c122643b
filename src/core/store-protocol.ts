/**
 * How publishers and migrations change a store's root: pure transitions that are tried with compare-and-swap until one wins
 * (docs/decisions/0017-store-protocol.md). A transition that finds its work done returns the very root it was given.
 *
 * What keeps blobs safe: a key is uploaded and referred to only under an intent that has stood since before; what an intent
 * or a release refers to is never moved to `deleting`; what once was in `deleting` is never referred to again.
 */

import { byteOrder } from "./location.ts";
import type { LockfileHash } from "./lockfile-hash.ts";
import type { StoreKey } from "./store-key.ts";
import { type Channel, type ChannelMove, type Intent, type Release, rootLimits, type StoreRoot } from "./store-root.ts";

/** What a release object that was read refers to, by the object's key. Immutable, so never out of date. */
export type References = ReadonlyMap<StoreKey, readonly StoreKey[]>;

/** Why a transition cannot be made from this root. */
export type Refusal =
  /** The store is somewhere else now and changes no more. */
  | { refused: "moved"; to: string }
  /** The intent is not there: a collector took it for dead. Start over with a new one. */
  | { refused: "revoked" }
  /** These keys can no longer be reused. Choose again from this root. */
  | { refused: "gone"; keys: readonly StoreKey[] }
  /** Read these objects and try again. */
  | { refused: "unread"; objects: readonly StoreKey[] }
  | { refused: "no-release"; release: LockfileHash }
  | { refused: "no-channel"; channel: string }
  /** The root has as many of them as it can hold. */
  | { refused: "full"; what: "channels" | "releases" | "intents" | "keys" };

/** Who does it, and when; times are milliseconds since 1970. */
export interface Author {
  at: number;
  /** `user@host`. */
  by: string;
}

/** The keys that an intent is to hold. */
export interface Claim {
  /** Complete objects: of retained releases, or other intents' bases. All that they refer to is held, too. */
  bases: readonly StoreKey[];
  /** Keys that stand in `doomed` or in another intent; whether their objects are there is not known. */
  reused: readonly StoreKey[];
  /** Keys drawn for this attempt, which no other attempt has used. */
  fresh: readonly StoreKey[];
}

/** True for a transition that cannot be made. */
export function isRefusal<T extends object>(outcome: T | Refusal): outcome is Refusal {
  return "refused" in outcome;
}

/** What a store holds before its first change; generation 0 is never written. `store` is 32 random hexadecimal characters. */
export function emptyRoot(store: string): StoreRoot {
  return {
    store,
    generation: 0,
    channels: new Map(),
    releases: new Map(),
    intents: new Map(),
    doomed: new Map(),
    deleting: [],
  };
}

/** Says what will be uploaded and referred to, before anything is. `id` is 32 random hexadecimal characters. */
export function beginIntent(
  root: StoreRoot,
  facts: { id: string; purpose: Intent["purpose"]; claim: Claim } & Author,
): StoreRoot | Refusal {
  const { id, purpose, claim, at, by } = facts;
  if (root.moved !== undefined) return { refused: "moved", to: root.moved.to };
  if (root.intents.has(id)) return root;
  if (root.intents.size >= rootLimits.intents) return { refused: "full", what: "intents" };
  return hold(root, id, { purpose, bases: [], keys: [], at, by }, claim);
}

/** Lets an intent hold more, and makes it young again; an empty claim does only that. */
export function extendIntent(root: StoreRoot, facts: { id: string; claim: Claim; at: number }): StoreRoot | Refusal {
  if (root.moved !== undefined) return { refused: "moved", to: root.moved.to };
  const intent = root.intents.get(facts.id);
  if (intent === undefined) return { refused: "revoked" };
  return hold(root, facts.id, { ...intent, at: facts.at }, facts.claim);
}

function hold(root: StoreRoot, id: string, intent: Intent, { bases, reused, fresh }: Claim): StoreRoot | Refusal {
  const objects = new Set(completeObjects(root));
  const known = new Set([...root.doomed.keys(), ...[...root.intents.values()].flatMap((each) => each.keys)]);
  const deleting = new Set(root.deleting);
  const gone = [
    ...bases.filter((key) => !objects.has(key)),
    ...reused.filter((key) => !known.has(key)),
    ...fresh.filter((key) => deleting.has(key)),
  ];
  if (gone.length > 0) return { refused: "gone", keys: gone };
  const keys = union(intent.keys, reused, fresh);
  if (keys.length > rootLimits.keys) return { refused: "full", what: "keys" };
  const doomed = new Map(root.doomed);
  for (const key of keys) doomed.delete(key);
  const held = { ...intent, bases: union(intent.bases, bases), keys };
  return next(root, { intents: new Map(root.intents).set(id, held), doomed });
}

/** Release objects that are there with all that they refer to: of the releases, and the bases of intents. */
export function completeObjects({ releases, intents }: Living): StoreKey[] {
  const bases = [...intents.values()].flatMap((intent) => intent.bases);
  return [...new Set([...[...releases.values()].map(({ object }) => object), ...bases])];
}

/** A release that is uploaded in full. */
export interface Publication extends Author {
  /** The intent that it was uploaded under. */
  id: string;
  hash: LockfileHash;
  release: Release;
  /** Every key that the release object refers to. */
  keys: readonly StoreKey[];
  channel: string;
  reason: string | null;
  /** Of the intent's bases, and of the object that a release of the same hash has now. */
  references: References;
}

/**
 * Turns the intent into the release and moves the channel to it. A release of the same hash is replaced and its pin kept.
 * What the intent held without need, and what only the replaced object referred to, is doomed. How many releases stay is the
 * collector's question: it alone has read what the others refer to.
 */
export function commitPublish(root: StoreRoot, facts: Publication): StoreRoot | Refusal {
  const { id, hash, release, channel, references } = facts;
  const intent = root.intents.get(id);
  const before = root.releases.get(hash);
  if (intent === undefined && before?.object === release.object) return root;
  if (root.moved !== undefined) return { refused: "moved", to: root.moved.to };
  if (intent === undefined) return { refused: "revoked" };
  const ended = [...intent.bases, ...(before === undefined ? [] : [before.object])];
  const closure = follow(ended, references);
  if (isRefusal(closure)) return closure;
  const held = new Set([...intent.keys, ...closure.keys]);
  for (const key of [release.object, ...facts.keys])
    if (!held.has(key)) throw new Error(`a release refers to what its intent does not hold: ${key}`);
  if (before === undefined && root.releases.size >= rootLimits.releases) return { refused: "full", what: "releases" };
  const channels = moveChannel(root.channels, channel, hash, facts);
  if (channels === undefined) return { refused: "full", what: "channels" };
  const pin = release.pin ?? before?.pin;
  const releases = new Map(root.releases).set(hash, pin === undefined ? release : { ...release, pin });
  const intents = without(root.intents, id);
  const used = new Set([release.object, ...facts.keys]);
  const leftover = [...intent.keys, ...lapsed(ended, { releases, intents }, references)].filter(
    (key) => !used.has(key),
  );
  return next(root, { channels, releases, intents, doomed: doom(root, { releases, intents }, leftover, facts.at) });
}

/** Ends an intent that comes to nothing; what it held is doomed. `references` of its bases. */
export function abandonIntent(
  root: StoreRoot,
  { id, at, references }: { id: string; at: number; references: References },
): StoreRoot | Refusal {
  const intent = root.intents.get(id);
  if (intent === undefined) return root;
  const intents = without(root.intents, id);
  const closure = follow(intent.bases, references);
  if (isRefusal(closure)) return closure;
  const { releases } = root;
  const leftover = [...intent.keys, ...lapsed(intent.bases, { releases, intents }, references)];
  return next(root, { intents, doomed: doom(root, { releases, intents }, leftover, at) });
}

/** The next generation of a root. */
export function next(root: StoreRoot, changes: Partial<StoreRoot>): StoreRoot {
  return { ...root, ...changes, generation: root.generation + 1 };
}

/** The channels after a move; undefined where there are as many as can be. A channel that points there already stays as it is. */
export function moveChannel(
  channels: StoreRoot["channels"],
  name: string,
  release: LockfileHash,
  { at, by, reason }: Author & { reason: string | null },
): StoreRoot["channels"] | undefined {
  const channel = channels.get(name);
  if (channel?.release === release) return channels;
  if (channel === undefined && channels.size >= rootLimits.channels) return undefined;
  const move: ChannelMove = { release, at, by, reason };
  const moved: Channel = { release, history: [move, ...(channel?.history ?? [])].slice(0, rootLimits.history) };
  return new Map(channels).set(name, moved);
}

/** Objects and all that they refer to, or which of them were not read. */
export function follow(objects: Iterable<StoreKey>, references: References): { keys: Set<StoreKey> } | Refusal {
  const unread: StoreKey[] = [];
  const keys = new Set<StoreKey>();
  for (const object of objects) {
    keys.add(object);
    const referred = references.get(object);
    if (referred === undefined) unread.push(object);
    else for (const key of referred) keys.add(key);
  }
  return unread.length > 0 ? { refused: "unread", objects: [...new Set(unread)] } : { keys };
}

type Living = Pick<StoreRoot, "releases" | "intents">;

/** Those of the objects that nothing holds any more, with all that they refer to. */
export function lapsed(objects: readonly StoreKey[], living: Living, references: References): StoreKey[] {
  const named = namedKeys(living);
  return objects.flatMap((object) => (named.has(object) ? [] : [object, ...(references.get(object) ?? [])]));
}

/**
 * The doomed, and those of the keys that neither a release nor an intent names itself. Some may still be referred to by an
 * object; the collector, which has read them all, strikes these out.
 */
export function doom(root: StoreRoot, living: Living, keys: readonly StoreKey[], at: number): StoreRoot["doomed"] {
  const named = namedKeys(living);
  const deleting = new Set(root.deleting);
  const doomed = new Map(root.doomed);
  for (const key of keys) {
    // What does not fit is found by listing, later, and has no grace.
    if (doomed.size >= rootLimits.keys) break;
    if (!named.has(key) && !doomed.has(key) && !deleting.has(key)) doomed.set(key, at);
  }
  return doomed;
}

function namedKeys({ releases, intents }: Living): Set<StoreKey> {
  const named = new Set<StoreKey>();
  for (const { object } of releases.values()) named.add(object);
  for (const { bases, keys } of intents.values()) {
    for (const key of bases) named.add(key);
    for (const key of keys) named.add(key);
  }
  return named;
}

function union(...lists: readonly (readonly StoreKey[])[]): StoreKey[] {
  return [...new Set(lists.flat())].sort(byteOrder);
}

/** A copy without one entry. */
export function without<T>(entries: ReadonlyMap<string, T>, key: string): ReadonlyMap<string, T> {
  const rest = new Map(entries);
  rest.delete(key);
  return rest;
}
