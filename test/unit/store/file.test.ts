/** A directory is a store, also one that others share, spoil or may only read. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { openFileStore } from "../../../src/store/file.ts";
import type { RootState, Store, Version } from "../../../src/store/store.ts";
import { makeTemp, removeTree } from "../../support/temp.ts";
import { conformance } from "./conformance.ts";
import { bytesOf, codeOf, expectSame, listed, putNew } from "./objects.ts";

conformance("a directory", async () => {
  const temp = makeTemp();
  const directory = `${temp}/store`;
  return {
    store: openFileStore(directory, {}),
    reopen: async () => openFileStore(`file:${directory}`, {}),
    async litter() {
      const name = "0".repeat(128);
      mkdirSync(`${directory}/blobs/${name}.${"1".repeat(32)}`);
      symlinkSync("../csp-store.json", `${directory}/blobs/${name}.${"2".repeat(32)}`);
      const odd = [name, ".nfs000001", "README", `${name}.${"3".repeat(32)}~`];
      for (const each of odd) writeFileSync(`${directory}/blobs/${each}`, "x");
    },
    close: async () => removeTree(temp),
  };
});

let temp: string;
let directory: string;
let store: Store;

beforeEach(() => {
  temp = makeTemp();
  directory = `${temp}/store`;
  store = openFileStore(directory, {});
});
afterEach(() => removeTree(temp));

async function writeRoots(...texts: string[]): Promise<Version> {
  let version: Version | undefined;
  for (const text of texts) version = await store.root.swap(version, text);
  return version as Version;
}

async function textRead(): Promise<string | undefined> {
  return ((await openFileStore(directory, {}).root.read()) as RootState | undefined)?.text;
}

describe("addresses", () => {
  test.each(["", "file:", "file://", "FILE:", "file://localhost"])("a path after %p", (before) => {
    expect(openFileStore(`${before}/srv/a b%20#1?`, {}).address).toBe("file:/srv/a b%20#1?");
    expect(openFileStore(`${before}/srv/csp//`, {}).address).toBe("file:/srv/csp");
  });

  test.each(["srv/csp", "./csp", "file:csp", "file://host/srv", "file:", "", "~/csp", "/srv/\0", "//host/srv"])(
    "%p is refused",
    async (address) => {
      expect(await codeOf((async () => openFileStore(address, {}))())).toBe("CSP_STORE_ADDRESS");
    },
  );

  test("no character that a terminal acts on is in the address for messages", () => {
    expect(openFileStore("/srv/\u001b[31m\u202e`x\n", {}).address).toBe("file:/srv/?[31m??x?");
  });
});

describe("files", () => {
  test("an object and a root are a file each, for all to read, and nothing else is left", async () => {
    const previous = process.umask(0o022);
    try {
      const key = await putNew(store, bytesOf(1000, 1));
      await writeRoots("{}", "[]");
      const found = readdirSync(directory, { recursive: true }).map(String).sort();
      expect(found).toEqual(
        ["blobs", key, "csp-store.json", "releases", "root", "root/1", "root/2", "root/latest", "tmp"].sort(),
      );
      for (const path of found) {
        const stat = statSync(`${directory}/${path}`);
        expect([path, stat.mode & 0o7777]).toEqual([path, stat.isDirectory() ? 0o755 : 0o644]);
      }
      expect(readFileSync(`${directory}/csp-store.json`, "utf8")).toBe('{"format":1}\n');
      expect(readFileSync(`${directory}/root/2`, "utf8")).toBe("[]");
      expect(readFileSync(`${directory}/root/latest`, "utf8")).toBe("2\n");
    } finally {
      process.umask(previous);
    }
  });

  test("reading and asking what can be done makes nothing", async () => {
    expect(await store.root.read()).toBeUndefined();
    expect(await listed(store)).toEqual(new Map());
    expect(await store.capabilities()).toEqual({ writers: "many" });
    expect(readdirSync(temp)).toEqual([]);
  });

  test("a directory in a missing one is not made: something may not be mounted", async () => {
    const lost = openFileStore(`${temp}/missing/store`, {});
    expect(await lost.root.read()).toBeUndefined();
    expect(await lost.capabilities()).toMatchObject({
      writers: "none",
      why: expect.stringContaining("does not exist"),
    });
    expect(await codeOf(lost.root.swap(undefined, "{}"))).toBe("CSP_STORE_ADDRESS");
    expect(await codeOf(putNew(lost, bytesOf(10, 1)))).toBe("CSP_STORE_ADDRESS");
    mkdirSync(`${temp}/missing`);
    expect(await lost.root.swap(undefined, "{}")).toBeDefined();
  });

  test("the directory may be a symbolic link, and so may its folders", async () => {
    mkdirSync(`${temp}/real`);
    mkdirSync(`${temp}/elsewhere`);
    symlinkSync("real", directory);
    symlinkSync(`${temp}/elsewhere`, `${temp}/real/blobs`);
    const key = await putNew(store, bytesOf(50, 2));
    expect(readdirSync(`${temp}/elsewhere`)).toEqual([key.slice("blobs/".length)]);
    expectSame(await store.blobs.get(key, { maxBytes: 50 }), bytesOf(50, 2));
    await writeRoots("{}");
    expect(await textRead()).toBe("{}");
  });

  test("a caller's signal ends it", async () => {
    const stopped = openFileStore(directory, { signal: AbortSignal.abort(new Error("enough")) });
    await expect(stopped.root.read()).rejects.toThrow("enough");
    await expect(putNew(stopped, bytesOf(10, 1))).rejects.toThrow("enough");
    expect(existsSync(directory)).toBe(false);
  });
});

describe("formats", () => {
  test.each(["read", "write"])("a store of a newer csp is not touched (%s)", async (what) => {
    mkdirSync(directory);
    writeFileSync(`${directory}/csp-store.json`, '{"format":2,"more":true}');
    const attempt = what === "read" ? store.root.read() : putNew(store, bytesOf(10, 1));
    expect(await codeOf(attempt)).toBe("CSP_STORE_NEWER");
    expect(readdirSync(directory)).toEqual(["csp-store.json"]);
  });

  test.each(["", "{}", "[]", "null", '{"format":"1"}', '{"format":0}', "x".repeat(20_000)])(
    "what is no format is no store (%#)",
    async (text) => {
      mkdirSync(directory);
      writeFileSync(`${directory}/csp-store.json`, text);
      expect(await codeOf(store.root.read())).toBe("CSP_STORE_ANSWER");
      expect(await codeOf(store.root.swap(undefined, "{}"))).toBe("CSP_STORE_ANSWER");
      expect(readdirSync(directory)).toEqual(["csp-store.json"]);
    },
  );

  test("a mirror without the marker can be read, and a writer adds it", async () => {
    await writeRoots("{}");
    unlinkSync(`${directory}/csp-store.json`);
    expect(await textRead()).toBe("{}");
    await putNew(openFileStore(directory, {}), bytesOf(10, 1));
    expect(existsSync(`${directory}/csp-store.json`)).toBe(true);
  });
});

describe("the root", () => {
  test.each([
    ["missing", undefined],
    ["behind", "2\n"],
    ["at the first", "1"],
    ["ahead", "500\n"],
    ["empty", ""],
    ["no number", "../1\n"],
    ["long", "7".repeat(5000)],
    ["huge", "99999999999999\n"],
  ])("a hint that is %s does not matter", async (_, hint) => {
    const texts = Array.from({ length: 40 }, (_, n) => `${n}`);
    const version = await writeRoots(...texts);
    rmSync(`${directory}/root/latest`);
    if (hint !== undefined) writeFileSync(`${directory}/root/latest`, hint);
    expect(await textRead()).toBe("39");
    const other = openFileStore(directory, {});
    expect(await other.root.read(version)).toBe("unchanged");
    expect(await other.root.swap(version, "40")).toBeDefined();
    expect(readFileSync(`${directory}/root/latest`, "utf8")).toBe("41\n");
  });

  test("a writer that cannot leave the hint still wins", async () => {
    const version = await writeRoots("first");
    rmSync(`${directory}/root/latest`);
    mkdirSync(`${directory}/root/latest`);
    expect(await store.root.swap(version, "second")).toBeDefined();
    expect(await textRead()).toBe("second");
    expect(readdirSync(`${directory}/tmp`)).toEqual([]);
  });

  test("a store that was made anew in the same place has no version of the old one", async () => {
    const old = await writeRoots("old 1", "old 2");
    removeTree(directory);
    utimesSync(temp, 1, 1);
    store = openFileStore(directory, {});
    const version = await writeRoots("new 1", "new 2");
    utimesSync(`${directory}/root/2`, 1_000_000_000, 1_000_000_000);
    expect(old).not.toBe(version);
    expect(await store.root.read(old)).toMatchObject({ text: "new 2" });
    expect(await store.root.swap(old, "late")).toBeUndefined();
  });

  test("a store that was taken away is not begun again by who knew it", async () => {
    const old = await writeRoots("{}");
    removeTree(directory);
    expect(await store.root.swap(old, "late")).toBeUndefined();
    expect(await store.root.read()).toBeUndefined();
  });

  test.each(["", "0-a", "x", "1", "-1", "1e3", "../1", "1-\n", "99999999999999999999-a", "1-zzzzzz"])(
    "%p names no root",
    async (version) => {
      await writeRoots("{}");
      expect(await store.root.read(version)).toMatchObject({ text: "{}" });
      expect(await store.root.swap(version, "late")).toBeUndefined();
      expect(await textRead()).toBe("{}");
    },
  );
});
