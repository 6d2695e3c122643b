/** A store in front of which objects are kept. */
import type { Digest } from "../core/integrity.ts";
import { digestOfKey } from "../core/store-key.ts";
import { lastingAnswer } from "./failures.ts";
import type { Store } from "./store.ts";
import { isPromised } from "./verified.ts";

/** Where objects are kept, by the sha512 of their bytes. May forget any of them at any time. */
export interface ObjectCache {
  /** The bytes in an ArrayBuffer of their own. What has another digest is not used. */
  get(digest: Digest): Promise<Uint8Array | undefined>;
  put(digest: Digest, bytes: Uint8Array): Promise<void>;
}

/**
 * Objects come from the cache where it has them, also those that were deleted from the store meanwhile; what the store gives is
 * kept if it has its digest. Who asks for an object that is already on its way waits for that. A cache that fails counts as
 * empty. Sizes, listings and the root are the store's.
 */
export function cached(store: Store, cache: ObjectCache): Store {
  const flights = new Map<string, Promise<Uint8Array>>();

  const fetched = async (key: string, maxBytes: number): Promise<Uint8Array> => {
    const digest = digestOfKey(key);
    const kept = await cache.get(digest).catch(() => undefined);
    if (kept !== undefined && isPromised(key, kept)) {
      if (kept.byteLength > maxBytes)
        throw lastingAnswer(store.address, `has more than ${maxBytes} bytes under \`${key}\``);
      return kept;
    }
    const bytes = await store.blobs.get(key, { maxBytes });
    if (isPromised(key, bytes)) await cache.put(digest, bytes).catch(() => {});
    return bytes;
  };

  return {
    ...store,
    blobs: {
      ...store.blobs,
      async get(key, { maxBytes }) {
        const name = `${key} ${maxBytes}`;
        const running = flights.get(name);
        // Copied in the turn in which the bytes arrive, before whoever asked first can give them away.
        if (running !== undefined) return (await running).slice();
        const flight = fetched(key, maxBytes).finally(() => flights.delete(name));
        flights.set(name, flight);
        return flight;
      },
    },
  };
}
