/** A store that fails as it is told to. */
import type { Store } from "../../../src/store/store.ts";

export type Request = "size" | "get" | "put" | "list" | "delete" | "read" | "swap" | "capabilities";

/** Fails with this error, before the request was done or after: its answer is then lost. */
export interface Fault {
  when: "before" | "after";
  error: Error;
}

/** Asks `decide` at every request; one page of a listing is one. */
export function faulty(store: Store, decide: (request: Request) => Fault | undefined): Store {
  const through = async <T>(request: Request, action: () => Promise<T>): Promise<T> => {
    const fault = decide(request);
    if (fault?.when === "before") throw fault.error;
    const result = await action();
    if (fault !== undefined) throw fault.error;
    return result;
  };
  return {
    ...store,
    blobs: {
      size: (key) => through("size", () => store.blobs.size(key)),
      get: (key, limit) => through("get", () => store.blobs.get(key, limit)),
      put: (key, bytes) => through("put", () => store.blobs.put(key, bytes)),
      async *list() {
        for await (const page of store.blobs.list()) yield through("list", async () => page);
      },
      delete: (key) => through("delete", () => store.blobs.delete(key)),
    },
    root: {
      read: (known, options) => through("read", () => store.root.read(known, options)),
      swap: (expected, text) => through("swap", () => store.root.swap(expected, text)),
    },
    capabilities: () => through("capabilities", () => store.capabilities()),
  };
}

/** The faults one after the other, `undefined` for none; then none. Requests not named in `only` do not count. */
export function faults(
  list: readonly (Fault | undefined)[],
  only?: readonly Request[],
): (request: Request) => Fault | undefined {
  const left = [...list];
  return (request) => (only === undefined || only.includes(request) ? left.shift() : undefined);
}
