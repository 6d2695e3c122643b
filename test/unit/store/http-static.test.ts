/** A plain copy of a directory store behind any web server is a store that can be read. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { cpSync, rmSync, writeFileSync } from "node:fs";
import { openFileStore } from "../../../src/store/file.ts";
import type { RootState, Store, Version } from "../../../src/store/store.ts";
import { clientOf, serveOver } from "../../support/servers/serve.ts";
import { type StaticOptions, type StaticServer, startStatic } from "../../support/servers/static.ts";
import { makeTemp, removeTree } from "../../support/temp.ts";
import { bytesOf, codeOf, expectSame, listed, newKey, putNew } from "./objects.ts";

let temp = "";
let source: Store;
let version: Version | undefined;
/** How many roots there are; the text of each is its number. */
let roots = 0;
const servers: StaticServer[] = [];

beforeEach(() => {
  temp = makeTemp();
  source = openFileStore(`${temp}/store`, {});
  [version, roots] = [undefined, 0];
});
afterEach(() => {
  for (const server of servers.splice(0)) server.stop();
  removeTree(temp);
});

async function publish(count = 1): Promise<void> {
  for (let n = 0; n < count; n++) version = await source.root.swap(version, `{"root":${++roots}}`);
}

function start(options: StaticOptions = {}, directory = `${temp}/store`): StaticServer {
  const server = startStatic(directory, options);
  servers.push(server);
  return server;
}

describe("a plain copy", () => {
  test("gives objects, their sizes, and the root", async () => {
    const bytes = bytesOf(5000, 1);
    const key = await putNew(source, bytes);
    await publish(3);
    const store = clientOf(start().url);
    expectSame(await store.blobs.get(key, { maxBytes: 5000 }), bytes);
    expect(await store.blobs.size(key)).toBe(5000);
    expect(await store.root.read()).toEqual({ version: "static:3", text: '{"root":3}' });
    const absent = await newKey(source, bytes);
    expect(await store.blobs.size(absent)).toBeUndefined();
    expect(await codeOf(store.blobs.get(absent, { maxBytes: 5000 }))).toBe("CSP_STORE_MISSING");
  });

  test("cannot be written or listed, and no request is made to find out", async () => {
    await publish();
    const server = start();
    const store = clientOf(server.url);
    expect(await store.capabilities()).toMatchObject({ writers: "none", why: expect.stringContaining("plain copy") });
    const before = server.seen.length;
    const bytes = bytesOf(10, 2);
    const key = await newKey(store, bytes);
    for (const attempt of [
      () => store.blobs.put(key, bytes),
      () => store.blobs.delete(key),
      () => store.root.swap("static:1", "{}"),
      () => listed(store),
    ]) {
      expect(await codeOf(attempt())).toBe("CSP_STORE_READ_ONLY");
    }
    expect(server.seen.length).toBe(before);
  });

  test("costs one small request where nothing changed", async () => {
    await publish(4);
    const server = start();
    const store = clientOf(server.url);
    const { version: known } = (await store.root.read()) as RootState;
    server.seen.length = 0;
    expect(await store.root.read(known)).toBe("unchanged");
    expect(await clientOf(server.url).root.read(known, { wait: 60_000 })).toBe("unchanged");
    expect(server.seen).toEqual(["HEAD /root/5", "HEAD /root/5"]);
  });

  for (const behind of [1, 2, 3, 7, 8, 40]) {
    test(`is read to its end by a client that is ${behind} behind, without the hint as well`, async () => {
      await publish(2);
      const server = start();
      const { version: known } = (await clientOf(server.url).root.read()) as RootState;
      await publish(behind);
      const newest = { version: `static:${2 + behind}`, text: `{"root":${2 + behind}}` };
      expect(await clientOf(server.url).root.read(known)).toEqual(newest);
      expect(await clientOf(server.url).root.read()).toEqual(newest);
      rmSync(`${temp}/store/root/latest`);
      server.seen.length = 0;
      expect(await clientOf(server.url).root.read(known)).toEqual(newest);
      expect(await clientOf(server.url).root.read()).toEqual(newest);
      expect(server.seen.length).toBeLessThan(40);
    });
  }

  test("has a hint that lags, or is none, or points at nothing", async () => {
    await publish(9);
    const store = clientOf(start().url);
    for (const hint of ["3\n", "1", "", "x", "-1", "1e3", "99", "9999999999999999999", "../1", "<html>"]) {
      writeFileSync(`${temp}/store/root/latest`, hint);
      expect(await store.root.read()).toMatchObject({ version: "static:9" });
    }
  });

  test("has no root at first", async () => {
    await putNew(source, bytesOf(10, 3));
    expect(await clientOf(start().url).root.read()).toBeUndefined();
    const empty = makeTemp();
    expect(await codeOf(clientOf(start({}, empty).url).root.read())).toBe("CSP_STORE_ADDRESS");
    removeTree(empty);
  });

  test("whose server says 403 for what is not there", async () => {
    await publish(3);
    const store = clientOf(start({ missing: 403 }).url);
    expect(await store.root.read()).toMatchObject({ version: "static:3" });
    expect(await store.root.read("static:3")).toBe("unchanged");
    rmSync(`${temp}/store/root/3`);
    expect(await codeOf(store.root.read("static:3"))).toBe("CSP_STORE_ANSWER");
    rmSync(`${temp}/store/csp-store.json`);
    expect(await codeOf(store.root.read("static:3"))).toBe("CSP_STORE_DENIED");
  });

  test("whose server has a page for everything is refused, in a bounded number of requests", async () => {
    await publish(3);
    const server = start({ missing: 200 });
    for (const known of [undefined, "static:3"]) {
      expect(await codeOf(clientOf(server.url).root.read(known))).toBe("CSP_STORE_ANSWER");
    }
    expect(server.seen.length).toBeLessThan(150);
  });

  test("of a directory that a copy is in the middle of is at some root", async () => {
    await publish(6);
    cpSync(`${temp}/store`, `${temp}/copy`, { recursive: true });
    rmSync(`${temp}/copy/root/4`);
    const store = clientOf(start({}, `${temp}/copy`).url);
    expect(await store.root.read("static:2")).toMatchObject({ version: "static:6" });
  });
});

describe("another in its place", () => {
  test("csp serve where a copy was, and the other way round, is seen at once", async () => {
    await publish(3);
    const served = await serveOver(openFileStore(`${temp}/store`, {}));
    const client = served.client();
    const read = (await client.root.read("static:3")) as RootState;
    expect(read).toEqual({ version: `etag:${version}`, text: '{"root":3}' });
    expect(await client.root.read("static:2")).toEqual(read);
    expect(await client.root.read(read.version)).toBe("unchanged");
    await served.stop();
    const store = clientOf(start().url);
    expect(await store.root.read(read.version)).toMatchObject({ version: "static:3" });
    expect(await store.root.read("etag:other")).toMatchObject({ version: "static:3" });
  });
});
