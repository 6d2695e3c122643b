/** Where objects come from, and what is believed of them: `verified`, `cached`, `ordered`, and what `openStore` makes of them. */
import { describe, expect, test } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import type { CspError } from "../../../src/core/errors.ts";
import { cached, type ObjectCache } from "../../../src/store/cached.ts";
import { badAnswer, denied, unreachable } from "../../../src/store/failures.ts";
import { createMemoryStore } from "../../../src/store/memory.ts";
import { openStore } from "../../../src/store/open.ts";
import { ordered } from "../../../src/store/ordered.ts";
import type { Store } from "../../../src/store/store.ts";
import { verified } from "../../../src/store/verified.ts";
import { makeTemp, removeTree } from "../../support/temp.ts";
import { faulty } from "./faulty.ts";
import { bytesOf, codeOf, digestOf, expectSame, listed, newKey, putNew } from "./objects.ts";

const bytes = bytesOf(1000, 1);
const wrong = bytesOf(1000, 2);
const limit = { maxBytes: 1000 };

/** A store in memory that has other bytes under a key than the key says. */
async function spoiled(address: string, key: string, other = wrong): Promise<Store> {
  const store = createMemoryStore(address);
  await store.blobs.put(key, other);
  return store;
}

const failureOf = (attempt: Promise<unknown>): Promise<CspError> =>
  attempt.then(
    () => expect.unreachable(),
    (error: unknown) => error as CspError,
  );

describe("verified", () => {
  test.each([
    ["other bytes", wrong],
    ["a part", bytes.slice(0, 999)],
    ["nothing", new Uint8Array()],
    ["more", bytesOf(1001, 1)],
  ])("%s under a key are an error that names key and store", async (_, other) => {
    const key = await newKey(createMemoryStore(), bytes);
    const error = await failureOf(verified(await spoiled("memory:bad", key, other)).blobs.get(key, { maxBytes: 2000 }));
    expect(error).toMatchObject({ code: "CSP_STORE_CORRUPT", data: { store: "memory:bad", key } });
    expect(error.message).toContain("`memory:bad`");
    expect(error.message).toContain(key.slice(0, 60));
  });

  test("wrong bytes are not put", async () => {
    const memory = createMemoryStore();
    const key = await newKey(memory, bytes);
    expect(await codeOf(verified(memory).blobs.put(key, wrong))).toBe("CSP_STORE_CORRUPT");
    expect(await memory.blobs.size(key)).toBeUndefined();
  });
});

describe("cached", () => {
  function mapCache(entries: readonly [string, Uint8Array][] = []): ObjectCache & { kept: Map<string, Uint8Array> } {
    const kept = new Map(entries);
    return {
      kept,
      get: async (digest) => kept.get(digest)?.slice(),
      put: async (digest, object) => void kept.set(digest, object.slice()),
    };
  }

  function counting(store: Store): { store: Store; gets: () => number } {
    let gets = 0;
    const counted = faulty(store, (request) => {
      if (request === "get") gets++;
      return undefined;
    });
    return { store: counted, gets: () => gets };
  }

  test("an object is fetched once, under whatever key", async () => {
    const memory = createMemoryStore();
    const { store, gets } = counting(memory);
    const cache = mapCache();
    const near = cached(store, cache);
    for (const key of [await putNew(memory, bytes), await putNew(memory, bytes)]) {
      expectSame(await near.blobs.get(key, limit), bytes);
      expectSame(await near.blobs.get(key, limit), bytes);
    }
    expect(gets()).toBe(1);
    expect([...cache.kept.keys()]).toEqual([digestOf(bytes)]);
  });

  test("many that ask at once have one fetch and a copy each", async () => {
    const memory = createMemoryStore();
    const { store, gets } = counting(memory);
    const near = cached(store, mapCache());
    const key = await putNew(memory, bytes);
    const copies = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const copy = await near.blobs.get(key, limit);
        // Given away at once, as to a worker.
        return structuredClone(copy, { transfer: [copy.buffer as ArrayBuffer] });
      }),
    );
    for (const copy of copies) expectSame(copy, bytes);
    expect(gets()).toBe(1);
  });

  test("a failed fetch fails all that waited for it, and the next one is made", async () => {
    const memory = createMemoryStore();
    const key = await putNew(memory, bytes);
    let broken = true;
    const store = faulty(memory, () =>
      broken ? { when: "before", error: unreachable("memory:", "is down") } : undefined,
    );
    const near = cached(store, mapCache());
    const both = [near.blobs.get(key, limit), near.blobs.get(key, limit)].map(codeOf);
    expect(await Promise.all(both)).toEqual(["CSP_STORE_UNREACHABLE", "CSP_STORE_UNREACHABLE"]);
    broken = false;
    expectSame(await near.blobs.get(key, limit), bytes);
  });

  test("wrong bytes in the cache are not used, and are replaced", async () => {
    const memory = createMemoryStore();
    const key = await putNew(memory, bytes);
    const cache = mapCache([[digestOf(bytes), wrong]]);
    expectSame(await cached(memory, cache).blobs.get(key, limit), bytes);
    expectSame(cache.kept.get(digestOf(bytes)) as Uint8Array, bytes);
  });

  test("wrong bytes from the store are not kept", async () => {
    const key = await newKey(createMemoryStore(), bytes);
    const cache = mapCache();
    const near = verified(cached(await spoiled("memory:", key), cache));
    expect(await codeOf(near.blobs.get(key, limit))).toBe("CSP_STORE_CORRUPT");
    expect(cache.kept.size).toBe(0);
  });

  test("a cache that fails is an empty one", async () => {
    const memory = createMemoryStore();
    const key = await putNew(memory, bytes);
    const broken = async (): Promise<never> => {
      throw new Error("the disk is full");
    };
    expectSame(await cached(memory, { get: broken, put: broken }).blobs.get(key, limit), bytes);
  });

  test("what is kept is held to the caller's limit", async () => {
    const memory = createMemoryStore();
    const key = await putNew(memory, bytes);
    const near = cached(memory, mapCache([[digestOf(bytes), bytes]]));
    expect(await codeOf(near.blobs.get(key, { maxBytes: 999 }))).toBe("CSP_STORE_ANSWER");
  });

  test("while the store is down, what was fetched before is still there", async () => {
    const memory = createMemoryStore();
    const key = await putNew(memory, bytes);
    const cache = mapCache();
    await cached(memory, cache).blobs.get(key, limit);
    const down = faulty(memory, () => ({ when: "before", error: unreachable("memory:", "is down") }));
    expectSame(await cached(down, cache).blobs.get(key, limit), bytes);
  });
});

describe("ordered", () => {
  const breaks = (store: Store, error: Error): Store => faulty(store, () => ({ when: "before", error }));
  const failing = (address: string, make: typeof badAnswer = unreachable): Store =>
    breaks(createMemoryStore(address), make(address, "is down"));

  async function holding(address: string, ...objects: Uint8Array[]): Promise<{ store: Store; keys: string[] }> {
    const store = createMemoryStore(address);
    return { store, keys: await Promise.all(objects.map((each) => putNew(store, each))) };
  }

  test("what the first lacks, spoils, refuses or cannot give comes from the next", async () => {
    const { store: mirror, keys } = await holding("memory:mirror", bytes);
    const [key] = keys as [string];
    const firsts: Store[] = [
      createMemoryStore(),
      verified(await spoiled("memory:", key)),
      failing("memory:"),
      failing("memory:", badAnswer),
      breaks(createMemoryStore(), denied("memory:", "do that", "ask")),
    ];
    for (const first of firsts) {
      const store = ordered([first, mirror]);
      expectSame(await store.blobs.get(key, limit), bytes);
      expectSame(await ordered([first, failing("memory:x"), mirror]).blobs.get(key, limit), bytes);
    }
  });

  test("the first is asked first, and alone where it has the object", async () => {
    const { store: first, keys } = await holding("memory:", bytes);
    const store = ordered([first, breaks(createMemoryStore(), new Error("must not be asked"))]);
    expectSame(await store.blobs.get(keys[0] as string, limit), bytes);
    expect(await store.blobs.size(keys[0] as string)).toBe(1000);
  });

  test("root, listing and what writes are the first store's alone", async () => {
    const [first, second] = [createMemoryStore("memory:first"), createMemoryStore("memory:second")];
    await second.root.swap(undefined, "of the second");
    const theirs = await putNew(second, wrong);
    const store = ordered([first, second]);
    expect(store.address).toBe("memory:first");
    expect(await store.root.read()).toBeUndefined();
    await store.root.swap(undefined, "of the first");
    const key = await putNew(store, bytes);
    expect([...(await listed(store)).keys()]).toEqual([key]);
    await store.blobs.delete(theirs);
    expect(await second.blobs.size(theirs)).toBe(1000);
    expect(await second.blobs.size(key)).toBeUndefined();
    expect(await second.root.read()).toMatchObject({ text: "of the second" });
    expect(await codeOf(ordered([failing("memory:first"), second]).root.read())).toBe("CSP_STORE_UNREACHABLE");
  });

  test("where all fail, the most telling error is thrown, and the others are in its details", async () => {
    const key = await newKey(createMemoryStore(), bytes);
    const empty = createMemoryStore("memory:empty");
    const down = failing("memory:down");
    const corrupt = verified(await spoiled("memory:corrupt", key));
    const cases: [[Store, ...Store[]], string, number][] = [
      [[empty, createMemoryStore()], "CSP_STORE_MISSING", 1],
      [[empty, down], "CSP_STORE_UNREACHABLE", 1],
      [[down, empty], "CSP_STORE_UNREACHABLE", 1],
      [[empty, failing("memory:odd", badAnswer)], "CSP_STORE_ANSWER", 1],
      [[empty, down, corrupt], "CSP_STORE_CORRUPT", 2],
      [[down, breaks(empty, denied("memory:", "do that", "ask"))], "CSP_STORE_DENIED", 1],
      [[down], "CSP_STORE_UNREACHABLE", 0],
    ];
    for (const [stores, code, others] of cases) {
      const error = await failureOf(ordered(stores).blobs.get(key, limit));
      expect([error.code, error.details.length]).toEqual([code as CspError["code"], others]);
    }
  });

  test("a size that no store knows is undefined only where all were asked", async () => {
    const key = await newKey(createMemoryStore(), bytes);
    expect(await ordered([createMemoryStore(), createMemoryStore()]).blobs.size(key)).toBeUndefined();
    expect(await codeOf(ordered([createMemoryStore(), failing("memory:")]).blobs.size(key))).toBe(
      "CSP_STORE_UNREACHABLE",
    );
  });

  test("a store that cannot be reached is asked last from then on, and is asked", async () => {
    const { store: mirror, keys } = await holding("memory:mirror", bytes, wrong);
    let asked = 0;
    const only = createMemoryStore("memory:first");
    const last = await putNew(only, bytesOf(10, 3));
    const first = faulty(only, () =>
      ++asked === 1 ? { when: "before", error: unreachable("memory:", "is down") } : undefined,
    );
    const store = ordered([first, mirror]);
    for (const key of keys) await store.blobs.get(key, limit);
    expect(asked).toBe(1);
    expectSame(await store.blobs.get(last, limit), bytesOf(10, 3));
    expect(asked).toBe(2);
  });

  test("the caller's own end and defects are not handed over", async () => {
    const { store: mirror, keys } = await holding("memory:mirror", bytes);
    const store = ordered([breaks(createMemoryStore(), new DOMException("stopped", "AbortError")), mirror]);
    await expect(store.blobs.get(keys[0] as string, limit)).rejects.toThrow("stopped");
  });

  test("all are closed, also where one fails to", async () => {
    const closed: string[] = [];
    const closing = (address: string, error?: Error): Store => ({
      ...createMemoryStore(address),
      async close() {
        closed.push(address);
        if (error) throw error;
      },
    });
    await expect(ordered([closing("one", new Error("stuck")), closing("two")]).close()).rejects.toThrow("stuck");
    expect(closed).toEqual(["one", "two"]);
  });
});

describe("openStore", () => {
  const options = { env: {}, home: undefined, userAgent: "csp/test" };

  test("gives a store that checks what it reads", async () => {
    const temp = makeTemp();
    try {
      const store = await openStore(`${temp}/store`, options);
      const key = await putNew(store, bytes);
      expect(readdirSync(`${temp}/store/blobs`)).toHaveLength(1);
      writeFileSync(`${temp}/store/${key}`, wrong);
      expect(await codeOf(store.blobs.get(key, limit))).toBe("CSP_STORE_CORRUPT");
    } finally {
      removeTree(temp);
    }
  });

  test.each(["ftp://host/x", "sqlite:/srv/x", "https:x y", "relative/path", "", "data:,"])(
    "%p is no address",
    async (address) => {
      expect(await codeOf(openStore(address, options))).toBe("CSP_STORE_ADDRESS");
    },
  );
});
