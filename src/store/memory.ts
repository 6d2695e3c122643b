/** A store in memory: the contract in its smallest form, for tests and as the model that the others are compared with. */
import { digestOfKey, type StoreKey } from "../core/store-key.ts";
import { lastingAnswer, missing } from "./failures.ts";
import { type RootState, randomNonce, type Store } from "./store.ts";

/** An empty store; it lives as long as the value. */
export function createMemoryStore(address = "memory:"): Store {
  const objects = new Map<StoreKey, Uint8Array>();
  const waiting = new Set<() => void>();
  let root: RootState | undefined;
  let serial = 0;

  const changed = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      waiting.add(done);
    });

  return {
    kind: "memory",
    address,
    blobs: {
      async size(key) {
        digestOfKey(key);
        return objects.get(key)?.byteLength;
      },
      async get(key, { maxBytes }) {
        digestOfKey(key);
        const bytes = objects.get(key);
        if (bytes === undefined) throw missing(address, key);
        if (bytes.byteLength > maxBytes)
          throw lastingAnswer(address, `has more than ${maxBytes} bytes under \`${key}\``);
        return bytes.slice();
      },
      async put(key, bytes) {
        digestOfKey(key);
        if (!objects.has(key)) objects.set(key, bytes.slice());
      },
      async *list() {
        yield [...objects].map(([key, bytes]) => ({ key, size: bytes.byteLength }));
      },
      async delete(key) {
        digestOfKey(key);
        objects.delete(key);
      },
    },
    root: {
      async read(known, { wait = 0 } = {}) {
        if (known !== undefined && root?.version === known && wait > 0) await changed(wait);
        return known !== undefined && root?.version === known ? "unchanged" : root;
      },
      async swap(expected, text) {
        if (root?.version !== expected) return undefined;
        root = { version: String(++serial), text };
        for (const wake of [...waiting]) wake();
        return root.version;
      },
    },
    capabilities: async () => ({ writers: "many" }),
    nonce: randomNonce,
    async close() {},
  };
}
