/** A store whose objects are what their keys promise. */
import { CspError } from "../core/errors.ts";
import { quoted } from "../core/quote.ts";
import { digestOfKey, type StoreKey } from "../core/store-key.ts";
import type { Store } from "./store.ts";

/** Throws CSP_STORE_CORRUPT for bytes whose sha512 is not the digest in their key, on the way out and on the way in. */
export function verified(store: Store): Store {
  return {
    ...store,
    blobs: {
      ...store.blobs,
      async get(key, limit) {
        const bytes = await store.blobs.get(key, limit);
        if (!isPromised(key, bytes)) {
          throw corrupt(store.address, key, `has other bytes than it promised under ${quoted(key)}`);
        }
        return bytes;
      },
      async put(key, bytes) {
        if (!isPromised(key, bytes)) {
          throw corrupt(store.address, key, `was to be given other bytes than ${quoted(key)} promises`);
        }
        return store.blobs.put(key, bytes);
      },
    },
  };
}

/** True for bytes with the digest that the key names. Throws on what is no key. */
export function isPromised(key: StoreKey, bytes: Uint8Array): boolean {
  return new Bun.CryptoHasher("sha512").update(bytes).digest("hex") === digestOfKey(key);
}

function corrupt(address: string, key: StoreKey, problem: string): CspError {
  return new CspError("CSP_STORE_CORRUPT", {
    message: `the store \`${address}\` ${problem}`,
    hint: "run `csp verify --store --repair` where the store can be written",
    data: { store: address, key },
  });
}
