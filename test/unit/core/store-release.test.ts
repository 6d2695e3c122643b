import { describe, expect, test } from "bun:test";
import { isCspError } from "../../../src/core/errors.ts";
import { parseLockfile } from "../../../src/core/lockfile.ts";
import { lockfileHash } from "../../../src/core/lockfile-hash.ts";
import {
  checkRelease,
  formatReleaseObject,
  parseReleaseObject,
  type ReleaseObject,
} from "../../../src/core/release.ts";
import { storeKey } from "../../../src/core/store-key.ts";
import { textOf } from "./lockfile-builder.ts";

const lockfile = textOf(["a"], { a: { needs: ["b"] }, b: {} });
const parsed = parseLockfile(lockfile, "test.lock");
const nonce = "0".repeat(32);

function blobsOf(names: readonly string[]): ReleaseObject["blobs"] {
  return new Map(
    names.map((name) => {
      const integrity = parsed.packages.get(name)?.integrity;
      if (integrity?.kind !== "strong") throw new Error(name);
      const { digest } = integrity;
      return [digest, { key: storeKey({ kind: "blobs", digest, nonce }), size: 10 }];
    }),
  );
}

const object: ReleaseObject = {
  hash: lockfileHash(parsed),
  lockfile,
  platforms: ["linux-x64"],
  blobs: blobsOf(["a", "b"]),
};
const text = formatReleaseObject(object);

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (isCspError(error)) return error.code;
    throw error;
  }
  return "none";
}

describe("a release's text", () => {
  test("is read back as it was, from text and from bytes", () => {
    expect(parseReleaseObject(text)).toEqual(object);
    expect(parseReleaseObject(new TextEncoder().encode(text))).toEqual(object);
    expect(text).toStartWith('{\n "format":1,\n');
    expect(formatReleaseObject({ ...object, blobs: new Map([...object.blobs].reverse()) })).toBe(text);
  });

  const [first = ""] = [...object.blobs.values()].map((blob) => blob.key);
  const twin = first.replace(`.${nonce}`, `.${"1".repeat(32)}`);
  test.each([
    ["other white space", text.replace('"format":1', '"format": 1')],
    ["a byte order mark", `\ufeff${text}`],
    ["something after it", `${text}\n`],
    ["an unknown key", text.replace('"format":1', '"format":1,"a":1')],
    ["a duplicate key", text.replace('"format":1', '"format":1,"format":1')],
    ["a duplicate blob", text.replace(`"${first}":10`, `"${first}":10,"${first}":10`)],
    ["two keys for one digest", text.replace(`"${first}":10`, `"${first}":10,\n  "${twin}":10`)],
    ["__proto__", text.replace('"format":1', '"format":1,"__proto__":null')],
    ["a key outside", text.replace("blobs/", "../blobs/")],
    ["a release as a blob", text.replace(first, first.replace("blobs/", "releases/"))],
    ["a negative size", text.replace(`"${first}":10`, `"${first}":-10`)],
    ["a size beyond blobs", text.replace(`"${first}":10`, `"${first}":2147483649`)],
    ["a fraction", text.replace(`"${first}":10`, `"${first}":10.5`)],
    ["no hash", text.replace(object.hash, "")],
    ["a platform that is none", text.replace("linux-x64", "LINUX")],
    ["half a character", text.replace('"lockfile":"', '"lockfile":"\\ud800')],
    ["another type", JSON.stringify([text])],
    ["the end missing", text.slice(0, -3)],
    ["nothing", ""],
  ])("with %s is refused", (_, changed) => {
    expect(changed).not.toBe(text);
    expect(codeOf(() => parseReleaseObject(changed))).toBe("CSP_STORE_INVALID");
  });

  test("in bytes that are no UTF-8, or of a newer format, is refused", () => {
    expect(codeOf(() => parseReleaseObject(new Uint8Array([0xff, 0xfe])))).toBe("CSP_STORE_INVALID");
    expect(codeOf(() => parseReleaseObject(new TextEncoder().encode(`\ufeff${text}`)))).toBe("CSP_STORE_INVALID");
    expect(codeOf(() => parseReleaseObject('{"format":2}'))).toBe("CSP_STORE_NEWER");
  });

  test("that could not be read back is not written", () => {
    expect(codeOf(() => formatReleaseObject({ ...object, hash: "x" }))).toBe("CSP_STORE_INVALID");
    expect(codeOf(() => formatReleaseObject({ ...object, lockfile: "\ud800" }))).toBe("CSP_STORE_INVALID");
  });
});

describe("checking a release", () => {
  test("gives its lockfile", () => {
    expect(checkRelease(object)).toEqual(parsed);
  });

  const other = textOf(["a"], { a: {} });
  test.each<[string, Partial<ReleaseObject>, string]>([
    ["another hash", { hash: "0".repeat(64) }, "CSP_STORE_INVALID"],
    ["another lockfile", { lockfile: other }, "CSP_STORE_INVALID"],
    ["no lockfile", { lockfile: "{}" }, "CSP_STORE_INVALID"],
    ["a lockfile of a newer csp", { lockfile: lockfile.replace('"version": 1', '"version": 2') }, "CSP_STORE_NEWER"],
    ["a weak hash", { lockfile: textOf(["a"], { a: { integrity: "" } }) }, "CSP_STORE_INVALID"],
    ["a blob too many", { hash: lockfileHash(parseLockfile(other, "")), lockfile: other }, "CSP_STORE_INVALID"],
  ])("refuses %s", (_, change, code) => {
    expect(codeOf(() => checkRelease({ ...object, ...change }))).toBe(code);
  });
});
