/** The directory in which a server keeps objects of another store. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openServeCache } from "../../../src/ops/serve/cache.ts";
import { cached } from "../../../src/store/cached.ts";
import { unreachable } from "../../../src/store/failures.ts";
import { createMemoryStore } from "../../../src/store/memory.ts";
import { serveOver } from "../../support/servers/serve.ts";
import { makeTemp, removeTree } from "../../support/temp.ts";
import { faulty, type Request } from "../store/faulty.ts";
import { bytesOf, codeOf, digestOf, expectSame, putNew } from "../store/objects.ts";

let temp = "";
beforeEach(() => {
  temp = makeTemp();
});
afterEach(() => removeTree(temp));

const pathOf = (bytes: Uint8Array): string => join(temp, digestOf(bytes).slice(0, 2), digestOf(bytes));
const objects = Array.from({ length: 5 }, (_, n) => bytesOf(100, n));

async function put(cache: ReturnType<typeof openServeCache>, ...all: Uint8Array[]): Promise<void> {
  for (const bytes of all) await cache.put(digestOf(bytes), bytes);
}

const has = (): boolean[] => objects.map((bytes) => existsSync(pathOf(bytes)));

describe("the cache", () => {
  test("gives what it was given, in a buffer of its own, also to the next server", async () => {
    const [bytes] = objects as [Uint8Array];
    await put(openServeCache(temp, 1000), bytes);
    const again = openServeCache(temp, 1000);
    const got = (await again.get(digestOf(bytes))) as Uint8Array;
    expectSame(got, bytes);
    expect([got.byteOffset, got.buffer.byteLength]).toEqual([0, 100]);
    expect(await again.get(digestOf(bytesOf(1, 9)))).toBeUndefined();
    expect(readdirSync(join(temp, "tmp"))).toEqual([]);
  });

  test("forgets what was used least lately", async () => {
    const cache = openServeCache(temp, 300);
    await put(cache, ...objects.slice(0, 3));
    await cache.get(digestOf(objects[0] as Uint8Array));
    await put(cache, objects[3] as Uint8Array);
    expect(has()).toEqual([true, false, true, true, false]);
    await put(cache, bytesOf(150, 7));
    expect(has()).toEqual([false, false, false, true, false]);
  });

  test("knows from the files what was used, and leaves others alone", async () => {
    await put(openServeCache(temp, 1000), ...objects);
    for (const [n, bytes] of objects.entries()) utimesSync(pathOf(bytes), 2000 - n, 2000 - n);
    writeFileSync(join(temp, "README"), "x");
    mkdirSync(join(temp, "zz"));
    writeFileSync(join(temp, "tmp", "0"), "left by a crash");
    const cache = openServeCache(temp, 500);
    await put(cache, bytesOf(100, 8));
    expect(has()).toEqual([true, true, true, true, false]);
    expect(readdirSync(temp)).toContain("README");
    expect(readdirSync(join(temp, "tmp"))).toEqual([]);
  });

  test("keeps nothing that would push out all else", async () => {
    const cache = openServeCache(temp, 300);
    await put(cache, ...objects.slice(0, 3), bytesOf(299, 7));
    expect(has()).toEqual([true, true, true, false, false]);
  });
});

test("a server with a cache asks its store once, and gives what it has while the store is away", async () => {
  const memory = createMemoryStore();
  const key = await putNew(memory, objects[0] as Uint8Array);
  const other = await putNew(memory, objects[1] as Uint8Array);
  const asked: Request[] = [];
  let down = false;
  const store = faulty(memory, (request) => {
    asked.push(request);
    return down ? { when: "before", error: unreachable("x", "is down") } : undefined;
  });
  const served = await serveOver(cached(store, openServeCache(temp, 1000)));
  const get = (wanted: string): Promise<Uint8Array> => served.client().blobs.get(wanted, { maxBytes: 100 });
  for (const bytes of await Promise.all([get(key), get(key), get(key)])) expectSame(bytes, objects[0] as Uint8Array);
  expect(asked).toEqual(["get"]);
  down = true;
  expectSame(await get(key), objects[0] as Uint8Array);
  expect(await codeOf(get(other))).toBe("CSP_STORE_UNREACHABLE");
  down = false;
  // What a disk spoiled is not given to anybody.
  truncateSync(pathOf(objects[0] as Uint8Array), 50);
  expectSame(await get(key), objects[0] as Uint8Array);
  expectSame(await get(key), objects[0] as Uint8Array);
  expect(asked.filter((request) => request === "get").length).toBe(3);
  await served.stop();
});
