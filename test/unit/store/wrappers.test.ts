/** Wrapped stores are stores: the whole contract holds through each wrapper and through all that `openStore` puts around a kind. */

import { cached } from "../../../src/store/cached.ts";
import { unreachable } from "../../../src/store/failures.ts";
import { createMemoryStore } from "../../../src/store/memory.ts";
import { openStore } from "../../../src/store/open.ts";
import { ordered } from "../../../src/store/ordered.ts";
import { retrying } from "../../../src/store/retrying.ts";
import type { Store } from "../../../src/store/store.ts";
import { verified } from "../../../src/store/verified.ts";
import { makeTemp, removeTree } from "../../support/temp.ts";
import { conformance, type Open } from "./conformance.ts";
import { faulty } from "./faulty.ts";

/** Every client is wrapped anew, around one store in memory. */
function around(wrap: (store: Store) => Store): Open {
  return async () => {
    const memory = createMemoryStore();
    return { store: wrap(memory), reopen: async () => wrap(memory), close: () => memory.close() };
  };
}

/** Loses every third request, now before it was done and now after; of the pages of listings fewer and fewer. */
function unreliable(store: Store): Store {
  let requests = 0;
  let listed = 0;
  let nextLoss = 2;
  return faulty(store, (request) => {
    if (request === "list") {
      if (++listed < nextLoss) return undefined;
      nextLoss += nextLoss;
    } else if (++requests % 3 !== 0) return undefined;
    const when = request === "swap" || requests % 2 === 0 ? "before" : "after";
    return { when, error: unreachable(store.address, "was asked at a bad moment") };
  });
}

function pages(store: Store, size: number): Store {
  return {
    ...store,
    blobs: {
      ...store.blobs,
      async *list() {
        for await (const page of store.blobs.list()) {
          for (let start = 0; start < page.length; start += size) yield page.slice(start, start + size);
        }
      },
    },
  };
}

function mapCache() {
  const kept = new Map<string, Uint8Array>();
  return {
    get: async (digest: string) => kept.get(digest)?.slice(),
    put: async (digest: string, bytes: Uint8Array) => void kept.set(digest, bytes.slice()),
  };
}

conformance("verified", around(verified));
conformance("retrying", around(retrying));
conformance("retrying, over a store that loses every third request,", async ({ pageSize = 100 }) => {
  const memory = createMemoryStore();
  const wrap = (): Store => retrying(unreliable(pages(memory, pageSize)), { baseMs: 1, tries: 20 });
  return { store: wrap(), reopen: async () => wrap(), close: () => memory.close() };
});
// What was deleted may still come from a cache.
conformance(
  "cached",
  around((store) => cached(store, mapCache())),
  { deletes: false },
);
conformance(
  "ordered",
  around((store) => ordered([store, createMemoryStore("memory:second")])),
);
conformance("all that is put around a directory", async () => {
  const temp = makeTemp();
  const options = { env: {}, home: undefined, userAgent: "csp/test" };
  const client = (): Promise<Store> => openStore(`file:${temp}/store`, options);
  return { store: await client(), reopen: client, close: async () => removeTree(temp) };
});
