/** What somebody else put where a file store keeps its files: never waited for, followed, read whole or written through. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { openFileStore } from "../../../src/store/file.ts";
import type { RootState, Store } from "../../../src/store/store.ts";
import { makeTemp, removeTree } from "../../support/temp.ts";
import { bytesOf, codeOf, listed, newKey, putNew } from "./objects.ts";

let temp: string;
let directory: string;
let store: Store;

beforeEach(() => {
  temp = makeTemp();
  directory = `${temp}/store`;
  store = openFileStore(directory, {});
});
afterEach(() => removeTree(temp));

function makePipe(path: string): void {
  expect(spawnSync("mkfifo", [path]).status).toBe(0);
}

describe("foreign things in place of files", () => {
  const make: Record<string, (path: string) => void> = {
    "a pipe": makePipe,
    "a directory": (path) => mkdirSync(path),
    "a link to a file outside": (path) => symlinkSync("/etc/hostname", path),
    "a link to itself": (path) => symlinkSync(path, path),
    "a link to nothing": (path) => symlinkSync("nothing", path),
  };

  test.each(Object.entries(make))(
    "%s as an object is refused, never read, waited for or written through",
    async (_, put) => {
      await store.root.swap(undefined, "{}");
      const bytes = bytesOf(100, 3);
      const key = await newKey(store, bytes);
      put(`${directory}/${key}`);
      const before = lstatSync(`${directory}/${key}`).ino;
      const kept = await putNew(store, bytesOf(10, 4));
      expect(await codeOf(store.blobs.get(key, { maxBytes: 1000 }))).toBe("CSP_STORE_ANSWER");
      expect(await codeOf(store.blobs.size(key))).toBe("CSP_STORE_ANSWER");
      expect(await codeOf(store.blobs.put(key, bytes))).toBe("CSP_STORE_ANSWER");
      expect([...(await listed(store)).keys()]).toEqual([kept]);
      expect(lstatSync(`${directory}/${key}`).ino).toBe(before);
      expect(existsSync(`${directory}/blobs/nothing`)).toBe(false);
    },
  );

  test.each(Object.entries(make))("%s as the root", async (_, put) => {
    await store.root.swap(undefined, "{}");
    rmSync(`${directory}/root/latest`);
    put(`${directory}/root/latest`);
    expect(((await store.root.read()) as RootState).text).toBe("{}");
    put(`${directory}/root/2`);
    expect(await codeOf(openFileStore(directory, {}).root.read())).toBe("CSP_STORE_ANSWER");
  });

  test.each(Object.entries(make))("%s as the marker", async (_, put) => {
    mkdirSync(directory);
    put(`${directory}/csp-store.json`);
    expect(await codeOf(store.root.read())).toBe("CSP_STORE_ANSWER");
  });

  test("a file in place of a folder, and of the whole store", async () => {
    const key = await newKey(store, bytesOf(10, 5));
    await store.root.swap(undefined, "{}");
    removeTree(`${directory}/blobs`);
    writeFileSync(`${directory}/blobs`, "");
    expect(await codeOf(store.blobs.get(key, { maxBytes: 10 }))).toBe("CSP_STORE_ANSWER");
    expect(await codeOf(store.blobs.put(key, bytesOf(10, 5)))).toBe("CSP_STORE_ANSWER");
    expect(await codeOf(listed(store))).toBe("CSP_STORE_ANSWER");
    removeTree(directory);
    writeFileSync(directory, "");
    expect(await codeOf(openFileStore(directory, {}).root.read())).toBe("CSP_STORE_ANSWER");
  });

  test("files of a terabyte are not read", async () => {
    await store.root.swap(undefined, "{}");
    const key = await putNew(store, bytesOf(10, 6));
    truncateSync(`${directory}/${key}`, 2 ** 40);
    expect(await codeOf(store.blobs.get(key, { maxBytes: 1 << 30 }))).toBe("CSP_STORE_ANSWER");
    truncateSync(`${directory}/root/1`, 2 ** 40);
    expect(await codeOf(store.root.read())).toBe("CSP_STORE_ANSWER");
  });

  test("an object that somebody cut short is given as it is, for `verified` to refuse", async () => {
    const key = await putNew(store, bytesOf(100, 7));
    truncateSync(`${directory}/${key}`, 50);
    expect((await store.blobs.get(key, { maxBytes: 100 })).byteLength).toBe(50);
  });
});
