/** What the contract says of immutable objects. */
import { expect } from "bun:test";
import type { StoreKey } from "../../../src/core/store-key.ts";
import type { Case, Traits } from "./conformance.ts";
import { addPage, bytesOf, codeOf, expectSame, listed, newKey, putMany, putNew } from "./objects.ts";

const megabyte = 1 << 20;

export function objectCases(check: Case, { deletes = true, nonces = "random" }: Traits): void {
  check("what was put comes back, blobs and releases, whatever the bytes", async ({ store, reopen }) => {
    const all = Uint8Array.from({ length: 512 }, (_, index) => index & 255);
    for (const bytes of [
      all,
      new Uint8Array(),
      new Uint8Array(1),
      new TextEncoder().encode("{}\r\n"),
      bytesOf(70_001, 1),
    ]) {
      for (const kind of ["blobs", "releases"] as const) {
        const key = await newKey(store, bytes, kind);
        expect(await store.blobs.size(key)).toBeUndefined();
        await store.blobs.put(key, bytes);
        for (const client of [store, await reopen()]) {
          expect(await client.blobs.size(key)).toBe(bytes.byteLength);
          expectSame(await client.blobs.get(key, { maxBytes: bytes.byteLength }), bytes);
        }
      }
    }
  });

  check("a put of 9 MB is absent or whole for all others, and whole once it returns", async ({ store, reopen }) => {
    const reader = await reopen();
    const bytes = bytesOf(9 * megabyte, 2);
    const key = await newKey(store, bytes);
    let done = false;
    const put = store.blobs.put(key, bytes).finally(() => {
      done = true;
    });
    let looks = 0;
    while (!done) {
      expect([undefined, bytes.byteLength]).toContain(await reader.blobs.size(key));
      expect([undefined, bytes.byteLength]).toContain((await listed(reader)).get(key));
      const got = await reader.blobs.get(key, { maxBytes: bytes.byteLength }).catch((error: unknown) => error);
      if (got instanceof Uint8Array) expectSame(got, bytes);
      else expect(got).toMatchObject({ code: "CSP_STORE_MISSING" });
      looks++;
    }
    await put;
    expect(looks).toBeGreaterThan(0);
    expect(await reader.blobs.size(key)).toBe(bytes.byteLength);
    expectSame(await reader.blobs.get(key, { maxBytes: bytes.byteLength }), bytes);
    expect((await listed(reader)).get(key)).toBe(bytes.byteLength);
  });

  check("putting again succeeds", async ({ store, reopen }) => {
    const bytes = bytesOf(3000, 3);
    const key = await putNew(store, bytes);
    await store.blobs.put(key, bytes);
    await (await reopen()).blobs.put(key, bytes);
    expectSame(await store.blobs.get(key, { maxBytes: 3000 }), bytes);
  });

  check("the first bytes stay, whether other bytes are refused or ignored", async ({ store, reopen }) => {
    const bytes = bytesOf(3000, 4);
    const key = await putNew(store, bytes);
    for (const other of [bytesOf(3000, 5), bytesOf(10, 6), new Uint8Array()]) {
      await store.blobs.put(key, other).catch(() => {});
      await (await reopen()).blobs.put(key, other).catch(() => {});
      expect(await store.blobs.size(key)).toBe(3000);
      expectSame(await store.blobs.get(key, { maxBytes: 5000 }), bytes);
    }
  });

  check("many puts of one key at once all succeed", async ({ store, reopen }) => {
    const bytes = bytesOf(megabyte, 7);
    const key = await newKey(store, bytes);
    const clients = [store, await reopen(), await reopen()];
    await Promise.all(clients.flatMap(({ blobs }) => [blobs.put(key, bytes), blobs.put(key, bytes)]));
    for (const client of clients) expectSame(await client.blobs.get(key, { maxBytes: megabyte }), bytes);
  });

  check("forty puts and gets at once", async ({ store }) => {
    const many = await Promise.all(
      Array.from({ length: 40 }, async (_, index) => {
        const bytes = bytesOf(5000 + index, 100 + index);
        return { key: await putNew(store, bytes), bytes };
      }),
    );
    await Promise.all(
      many.map(async ({ key, bytes }) => expectSame(await store.blobs.get(key, { maxBytes: 10_000 }), bytes)),
    );
  });

  if (nonces === "random") {
    check("the same bytes under two keys are two objects", async ({ store }) => {
      const bytes = bytesOf(500, 8);
      const [one, other] = [await newKey(store, bytes), await newKey(store, bytes)];
      await store.blobs.put(one, bytes);
      expect(await store.blobs.size(other)).toBeUndefined();
      await store.blobs.put(other, bytes);
      if (!deletes) return;
      await store.blobs.delete(one);
      expectSame(await store.blobs.get(other, { maxBytes: 500 }), bytes);
    });
  }

  check("what is absent has no size and is missing by name", async ({ store }) => {
    const key = await newKey(store, bytesOf(10, 9));
    expect(await store.blobs.size(key)).toBeUndefined();
    const attempt = store.blobs.get(key, { maxBytes: megabyte });
    expect(await codeOf(attempt)).toBe("CSP_STORE_MISSING");
    const error = await attempt.catch((problem: unknown) => problem as { data: unknown; message: string });
    expect(error).toMatchObject({ data: { store: store.address, key } });
  });

  check("an object longer than the limit is refused, one of just that length is not", async ({ store }) => {
    const bytes = bytesOf(2 * megabyte, 10);
    const key = await putNew(store, bytes);
    expectSame(await store.blobs.get(key, { maxBytes: bytes.byteLength }), bytes);
    for (const maxBytes of [bytes.byteLength - 1, 100, 0]) {
      expect(await codeOf(store.blobs.get(key, { maxBytes }))).toBe("CSP_STORE_ANSWER");
    }
    const empty = await putNew(store, new Uint8Array());
    expect((await store.blobs.get(empty, { maxBytes: 0 })).byteLength).toBe(0);
  });

  check("every get has an ArrayBuffer of its own", async ({ store }) => {
    for (const bytes of [bytesOf(100, 11), bytesOf(megabyte, 12), new Uint8Array()]) {
      const key = await putNew(store, bytes);
      const got = await store.blobs.get(key, { maxBytes: megabyte });
      expect(got.buffer).toBeInstanceOf(ArrayBuffer);
      expect([got.byteOffset, got.buffer.byteLength]).toEqual([0, got.byteLength]);
      got.fill(7);
      structuredClone(got, { transfer: [got.buffer as ArrayBuffer] });
      expectSame(await store.blobs.get(key, { maxBytes: megabyte }), bytes);
    }
  });

  check("a put takes exactly the bytes of the view, and leaves them to the caller", async ({ store }) => {
    const whole = bytesOf(1000, 13);
    const view = whole.subarray(100, 200);
    const before = view.slice();
    const key = await putNew(store, view);
    expectSame(view, before);
    whole.fill(0);
    expectSame(await store.blobs.get(key, { maxBytes: 1000 }), before);
  });

  check("what was deleted is gone, and deleting what is absent succeeds", async ({ store, reopen }) => {
    const [bytes, other] = [bytesOf(400, 14), bytesOf(400, 15)];
    const [key, kept] = [await putNew(store, bytes), await putNew(store, other)];
    await store.blobs.delete(await newKey(store, bytesOf(10, 16)));
    await store.blobs.delete(key);
    await store.blobs.delete(key);
    await (await reopen()).blobs.delete(key);
    expectSame(await store.blobs.get(kept, { maxBytes: 400 }), other);
    if (!deletes) return;
    for (const client of [store, await reopen()]) {
      expect(await client.blobs.size(key)).toBeUndefined();
      expect(await codeOf(client.blobs.get(key, { maxBytes: 400 }))).toBe("CSP_STORE_MISSING");
      expect([...(await listed(client)).keys()]).toEqual([kept]);
    }
  });

  check("what is no key is refused before anything is done", async ({ store }) => {
    const key = await putNew(store, bytesOf(10, 17));
    for (const odd of oddKeys(key)) {
      // `async` turns an error thrown at once into a rejection.
      const refused = async (action: () => Promise<unknown>): Promise<void> =>
        expect((async () => action())()).rejects.toThrow("not a store key");
      await refused(() => store.blobs.size(odd));
      await refused(() => store.blobs.get(odd, { maxBytes: 100 }));
      await refused(() => store.blobs.put(odd, bytesOf(10, 17)));
      await refused(() => store.blobs.delete(odd));
    }
    expect(await listed(store)).toEqual(new Map([[key, 10]]));
  });
}

function oddKeys(key: StoreKey): string[] {
  return [
    "",
    "/",
    "..",
    "root/1",
    `/${key}`,
    `${key}/`,
    `../${key}`,
    `${key}\n`,
    `${key}\0`,
    `${key}?x`,
    key.toUpperCase(),
  ].concat(
    key.replace("blobs", "blobs/.."),
    key.replace("blobs", "tmp"),
    key.slice(0, -1),
    key.replace("blobs/", "blobs%2f"),
  );
}

export function listingCases(check: Case, { deletes = true }: Traits): void {
  const small = { pageSize: 10 };

  check("an empty store lists nothing", async ({ store }) => {
    expect(await listed(store)).toEqual(new Map());
    await store.root.swap(undefined, "{}");
    expect(await listed(store)).toEqual(new Map());
  });

  check(
    "25 objects, in pages of ten where there are pages, with their sizes",
    async ({ store, reopen }) => {
      const sizes = await putMany(store, 25);
      for (const bytes of [bytesOf(33, 18), new Uint8Array()]) {
        sizes.set(await putNew(store, bytes, "releases"), bytes.byteLength);
      }
      for (const client of [store, await reopen()]) expect(sorted(await listed(client))).toEqual(sorted(sizes));
    },
    small,
  );

  check("1,100 objects", async ({ store }) => {
    const sizes = await putMany(store, 1100);
    expect(sizes.size).toBe(1100);
    expect(sorted(await listed(store))).toEqual(sorted(sizes));
  });

  check(
    "what is there all along is listed, whoever puts and deletes meanwhile",
    async ({ store, reopen }) => {
      const writer = await reopen();
      const stay = await putMany(store, 30, 2);
      const leave = await putMany(store, 10, 3);
      const going = [...leave.keys()];
      const come = new Map<StoreKey, number>();
      const seen = new Map<StoreKey, number>();
      const change = async (seed: number): Promise<void> => {
        const gone = going.pop();
        if (gone !== undefined && deletes) await writer.blobs.delete(gone);
        for (const [key, size] of await putMany(writer, 2, 10 + seed)) come.set(key, size);
      };
      await change(0);
      let pages = 0;
      for await (const page of store.blobs.list()) {
        addPage(seen, page);
        if (pages++ < 20) await change(pages);
      }
      for (const [key, size] of stay) expect(seen.get(key)).toBe(size);
      for (const [key, size] of seen) expect(stay.get(key) ?? leave.get(key) ?? come.get(key)).toBe(size);
    },
    small,
  );

  check(
    "a listing may be left in the middle, and two may run at once",
    async ({ store }) => {
      const sizes = await putMany(store, 25);
      for await (const page of store.blobs.list()) if (page.length > 0) break;
      const [one, other] = await Promise.all([listed(store), listed(store)]);
      expect(sorted(one)).toEqual(sorted(sizes));
      expect(sorted(other)).toEqual(sorted(sizes));
    },
    small,
  );

  check(
    "names that are no keys are left out",
    async ({ store, litter }) => {
      const sizes = await putMany(store, 12);
      await litter?.();
      expect(sorted(await listed(store))).toEqual(sorted(sizes));
    },
    small,
  );
}

function sorted(sizes: ReadonlyMap<StoreKey, number>): [StoreKey, number][] {
  return [...sizes].sort();
}
