/** The root of a store: the one object that changes. What refers to what, and who is about to publish or to collect. */
import type { LockfileHash } from "./lockfile-hash.ts";
import { largestReleaseObject, mostBlobs } from "./release.ts";
import type { StoreKey } from "./store-key.ts";
import { createFieldReader, listLines, objectLines, readDocument, storeFormat } from "./store-root-fields.ts";

export { storeFormat };

/** Times are milliseconds since 1970 by the clock of whoever wrote them; safety never depends on them. */
export interface StoreRoot {
  /** 32 hexadecimal characters drawn when the store was made; kept by `migrate`, so that hosts know a moved store again. */
  store: string;
  /** One more with every change; a host that saw a higher one of the same store was given an old root. */
  generation: number;
  channels: ReadonlyMap<string, Channel>;
  /** Every retained release by its lockfile hash. */
  releases: ReadonlyMap<LockfileHash, Release>;
  /** Publishers and migrations under way, by 32 random hexadecimal characters. */
  intents: ReadonlyMap<string, Intent>;
  /** Keys that something referred to which ended, and since when. The collector judges them; an intent may take them back. */
  doomed: ReadonlyMap<StoreKey, number>;
  /** Keys that nobody can refer to any more, to be deleted. */
  deleting: readonly StoreKey[];
  /** Where this store went; it changes no more. */
  moved?: { to: string; at: number; by: string };
}

export interface Channel {
  /** The release it points at. */
  release: LockfileHash;
  /** The newest first, beginning with the present one; as many as are retained. */
  history: readonly ChannelMove[];
}

export interface ChannelMove {
  release: LockfileHash;
  at: number;
  /** `user@host`. */
  by: string;
  reason: string | null;
}

export interface Release {
  /** Key of the release object. */
  object: StoreKey;
  /** Bytes of the release object. */
  size: number;
  at: number;
  by: string;
  reason: string | null;
  /** How many blobs it refers to, and their bytes together. */
  blobs: number;
  bytes: number;
  /** Platform names whose blobs are in it, sorted; empty for all that the lockfile names. */
  platforms: readonly string[];
  /** Kept however old. */
  pin?: { at: number; by: string; reason: string | null };
}

export interface Intent {
  purpose: "publish" | "migrate";
  /** Release objects that are complete: while the intent stands, they and all that they refer to stay. Sorted. */
  bases: readonly StoreKey[];
  /** Every other key it refers to, new or taken back, also of release objects. Sorted. */
  keys: readonly StoreKey[];
  at: number;
  by: string;
}

/** What a root can hold; a transition that would go beyond is refused. */
export const rootLimits = {
  characters: 128 * 1024 * 1024,
  channels: 1000,
  /** Of each channel; older moves are forgotten. */
  history: 1000,
  releases: 10_000,
  intents: 1000,
  /** Of one intent, of the doomed, of those being deleted. */
  keys: mostBlobs + 50_000,
  generation: 2 ** 52,
} as const;

const what = "the store's root";
const channelName = /^[a-z0-9][a-z0-9._-]{0,63}$/;
const hash = /^[0-9a-f]{64}$/;
const random = /^[0-9a-f]{32}$/;

/** True for a name that a channel can have. */
export function isChannelName(text: string): boolean {
  return channelName.test(text);
}

/** The canonical text: equal values give equal bytes. Throws CSP_STORE_INVALID for a value that could not be read back. */
export function formatStoreRoot(root: StoreRoot): string {
  const text = layout(root);
  parseStoreRoot(text);
  return text;
}

/** One line a channel, release, intent and key. */
function layout(root: StoreRoot): string {
  const { moved } = root;
  const fields = [
    `"format":${storeFormat}`,
    `"channels":${map(root.channels, channelText)}`,
    `"deleting":${listLines(root.deleting, "  ")}`,
    `"doomed":${map(root.doomed, String)}`,
    `"generation":${root.generation}`,
    `"intents":${map(root.intents, intentText)}`,
    ...(moved === undefined ? [] : [`"moved":${JSON.stringify({ at: moved.at, by: moved.by, to: moved.to })}`]),
    `"releases":${map(root.releases, releaseText)}`,
    `"store":${JSON.stringify(root.store)}`,
  ];
  return `{\n ${fields.join(",\n ")}\n}\n`;
}

function map<T>(entries: ReadonlyMap<string, T>, text: (value: T) => string): string {
  return objectLines(
    [...entries].map(([key, value]) => [key, text(value)] as const),
    "  ",
  );
}

function channelText({ release, history }: Channel): string {
  const moves = history.map((move) => ({ at: move.at, by: move.by, reason: move.reason, release: move.release }));
  return JSON.stringify({ history: moves, release });
}

function releaseText(release: Release): string {
  const { at, blobs, by, bytes, object, pin, platforms, reason, size } = release;
  const pinned = pin === undefined ? {} : { pin: { at: pin.at, by: pin.by, reason: pin.reason } };
  return JSON.stringify({ at, blobs, by, bytes, object, ...pinned, platforms, reason, size });
}

function intentText({ at, bases, by, keys, purpose }: Intent): string {
  return JSON.stringify({ at, bases, by, keys, purpose });
}

/** Reads the text that `formatStoreRoot` writes and nothing else. Throws CSP_STORE_INVALID or CSP_STORE_NEWER. */
export function parseStoreRoot(text: string): StoreRoot {
  const raw = readDocument(what, text, rootLimits.characters);
  const read = createFieldReader(what);
  const { time, by, reason, integer, object, match } = read;

  const readMove = (value: unknown): ChannelMove => {
    const move = object(value, "history");
    return {
      release: match(move.release, "release", hash),
      at: time(move.at, "at"),
      by: by(move.by),
      reason: reason(move.reason),
    };
  };
  const readChannel = (value: unknown): Channel => {
    const channel = object(value, "channels");
    return {
      release: match(channel.release, "release", hash),
      history: read.list(channel.history, "history", rootLimits.history, readMove),
    };
  };
  const readRelease = (value: unknown): Release => {
    const release = object(value, "releases");
    const result: Release = {
      object: read.key(release.object, "object", "releases"),
      size: integer(release.size, "size", largestReleaseObject),
      at: time(release.at, "at"),
      by: by(release.by),
      reason: reason(release.reason),
      blobs: integer(release.blobs, "blobs", mostBlobs),
      bytes: integer(release.bytes, "bytes"),
      platforms: read.platforms(release.platforms),
    };
    if (release.pin === undefined) return result;
    const pin = object(release.pin, "pin");
    return { ...result, pin: { at: time(pin.at, "at"), by: by(pin.by), reason: reason(pin.reason) } };
  };
  const readIntent = (value: unknown): Intent => {
    const intent = object(value, "intents");
    return {
      purpose: match(intent.purpose, "purpose", /^(?:publish|migrate)$/) as Intent["purpose"],
      bases: read.keys(intent.bases, "bases", rootLimits.releases, "releases"),
      keys: read.keys(intent.keys, "keys", rootLimits.keys),
      at: time(intent.at, "at"),
      by: by(intent.by),
    };
  };
  const readMap = <T>(name: string, most: number, key: RegExp, value: (raw: unknown) => T): Map<string, T> =>
    new Map(read.entries(raw[name], name, most).map(([each, entry]) => [match(each, name, key), value(entry)]));

  const generation = integer(raw.generation, "generation", rootLimits.generation);
  if (generation === 0) read.fail("`generation` begins with 1");
  const doomed = read.entries(raw.doomed, "doomed", rootLimits.keys);
  const root: StoreRoot = {
    store: match(raw.store, "store", random),
    generation,
    channels: readMap("channels", rootLimits.channels, channelName, readChannel),
    releases: readMap("releases", rootLimits.releases, hash, readRelease),
    intents: readMap("intents", rootLimits.intents, random, readIntent),
    doomed: new Map(doomed.map(([key, since]) => [read.key(key, "doomed"), time(since, "doomed")])),
    deleting: read.keys(raw.deleting, "deleting", rootLimits.keys),
  };
  if (raw.moved !== undefined) {
    const moved = object(raw.moved, "moved");
    root.moved = { to: read.line(moved.to, "to", 2000), at: time(moved.at, "at"), by: by(moved.by) };
  }
  const contradiction = findContradiction(root);
  if (contradiction !== undefined) read.fail(contradiction);
  if (layout(root) !== text) read.fail("it has more in it, or another form");
  return root;
}

/** What no transition leads to; undefined where the root makes sense. */
function findContradiction({ channels, releases, intents, doomed, deleting }: StoreRoot): string | undefined {
  for (const [name, { release, history }] of channels) {
    if (history[0]?.release !== release) return `the history of channel \`${name}\` does not begin with its release`;
    if (history.some((move) => !releases.has(move.release)))
      return `channel \`${name}\` had a release that is not there`;
  }
  const objects = new Set([...releases.values()].map((release) => release.object));
  if (objects.size !== releases.size) return "two releases have one object";
  const gone = new Set(deleting);
  const kept = [
    ...objects,
    ...doomed.keys(),
    ...[...intents.values()].flatMap(({ bases, keys }) => [...bases, ...keys]),
  ];
  return kept.some((key) => gone.has(key)) ? "a key is being deleted and still referred to" : undefined;
}
