/** What release objects refer to. Objects are immutable, so what was read once is known for good. */

import type { Code } from "../core/codes.ts";
import { isCspError } from "../core/errors.ts";
import { forEachLimited } from "../core/limiter.ts";
import type { ReleaseObject } from "../core/release.ts";
import { largestReleaseObject, parseReleaseObject } from "../core/release.ts";
import type { StoreKey } from "../core/store-key.ts";
import type { References } from "../core/store-protocol.ts";
import type { StoreRoot } from "../core/store-root.ts";
import type { Store } from "../store/store.ts";
import { type ReadRoot, readRoot } from "./store-change.ts";

export interface ReferenceReader {
  /** The references of these objects, in addition to all that were read before. Throws what reading an object throws. */
  read(objects: Iterable<StoreKey>): Promise<References>;
  /** The same, with what is damaged or missing left out. */
  readSound(objects: Iterable<StoreKey>): Promise<References>;
  /** An object that was read. */
  object(key: StoreKey): ReleaseObject | undefined;
}

/** A reader that remembers, for one command. */
export function createReferenceReader(store: Store): ReferenceReader {
  const known = new Map<StoreKey, readonly StoreKey[]>();
  const objects = new Map<StoreKey, ReleaseObject>();
  const readAll = async (wanted: Iterable<StoreKey>, isBearable: (error: unknown) => boolean): Promise<References> => {
    const unread = [...wanted].filter((key) => !known.has(key));
    await forEachLimited(unread, 4, async (key) => {
      try {
        const object = parseReleaseObject(await store.blobs.get(key, { maxBytes: largestReleaseObject }));
        objects.set(key, object);
        known.set(
          key,
          [...object.blobs.values()].map((blob) => blob.key),
        );
      } catch (error) {
        if (!isBearable(error)) throw error;
      }
    });
    return known;
  };
  return {
    read: (wanted) => readAll(wanted, () => false),
    readSound: (wanted) => readAll(wanted, isDamage),
    object: (key) => objects.get(key),
  };
}

/**
 * The root, with what these of its objects refer to. Where a collection removed one of them since the root was read, all over
 * again. Throws what reading throws.
 */
export async function readReferences(
  store: Store,
  reader: ReferenceReader,
  objects: (root: StoreRoot) => Iterable<StoreKey>,
): Promise<ReadRoot & { references: References }> {
  for (;;) {
    const state = await readRoot(store);
    try {
      const references = await reader.read(state.root === undefined ? [] : objects(state.root));
      return { ...state, references };
    } catch (error) {
      if (!isCspError(error, "CSP_STORE_MISSING")) throw error;
      if ((await readRoot(store)).version === state.version) throw error;
    }
  }
}

/** The objects of the releases that are looked into for blobs: that of `hash`, those of channels, the newest; at most `most`. */
export function likelyObjects(root: StoreRoot, hash: string, channel: string, most = 8): StoreKey[] {
  const first = [hash, root.channels.get(channel)?.release];
  const heads = [...root.channels.values()].map(({ release }) => release);
  const aged = [...root.releases].sort(([, a], [, b]) => b.at - a.at).map(([each]) => each);
  const hashes = new Set([...first, ...heads, ...aged]);
  return [...hashes].flatMap((each) => root.releases.get(each ?? "")?.object ?? []).slice(0, most);
}

function isDamage(error: unknown): boolean {
  return ["CSP_STORE_MISSING", "CSP_STORE_CORRUPT", "CSP_STORE_INVALID"].some((code) =>
    isCspError(error, code as Code),
  );
}
