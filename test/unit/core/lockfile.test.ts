import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { CspError } from "../../../src/core/errors.ts";
import { parseJsonc } from "../../../src/core/jsonc.ts";
import { parentLocation, splitLocation } from "../../../src/core/location.ts";
import { parseLockfile } from "../../../src/core/lockfile.ts";
import { lockfileHash } from "../../../src/core/lockfile-hash.ts";
import { formatLockfile } from "../../../src/core/lockfile-text.ts";
import { type Entry, integrityOf, lockfileOf, textOf } from "./lockfile-builder.ts";

const sample = textOf(["a"], { a: { needs: ["b"] }, b: {}, "a/@s/c": { bin: { c: "c.js" } } });

function failure(text: string): CspError {
  try {
    parseLockfile(text, "script-packages.lock");
  } catch (error) {
    if (error instanceof CspError) return error;
    throw error;
  }
  throw new Error("the text was accepted");
}

describe("the canonical text", () => {
  test("reads back as what was written, byte for byte", () => {
    const once = formatLockfile(parseLockfile(sample, "x"));
    expect(formatLockfile(parseLockfile(once, "x"))).toBe(once);
  });

  test("is the same for any order and layout of the same content", () => {
    const entries: Record<string, Entry> = { a: { needs: ["b"] }, b: {}, c: {} };
    const turned = Object.fromEntries(Object.entries(entries).reverse());
    const text = formatLockfile(lockfileOf(["a", "c"], entries));
    expect(formatLockfile(lockfileOf(["c", "a"], turned))).toBe(text);
    const loose = text.replaceAll(":", " : ").replaceAll('"}', '" , }').replace("{", "{ // a remark\n");
    expect(formatLockfile(parseLockfile(loose.replaceAll("sha512-", "sha512-"), "x"))).toBe(text);
  });

  test("one package a line", () => {
    expect(sample.split("\n").filter((line) => line.includes("sha512-"))).toHaveLength(3);
  });
});

describe("what is refused, and how", () => {
  const line = `"b": ["b@1.0.0","",{},"${integrityOf("b@1.0.0")}"]`;
  const cases: [what: string, text: string, code: string, says: string][] = [
    ["cut in the middle", sample.slice(0, 300), "CSP_LOCKFILE_INVALID", "line"],
    ["empty", "", "CSP_LOCKFILE_INVALID", "line 1"],
    ["a merge conflict", sample.replace("{\n", "{\n<<<<<<< HEAD\n"), "CSP_LOCKFILE_INVALID", "merge conflict"],
    ["a newer format", sample.replace('"version": 1', '"version": 2'), "CSP_LOCKFILE_NEWER", "update csp"],
    [
      "a newer bun format",
      sample.replace('"lockfileVersion": 2', '"lockfileVersion": 9'),
      "CSP_LOCKFILE_NEWER",
      "up to 1/3",
    ],
    ["no csp key", sample.replace('"csp"', '"other"'), "CSP_LOCKFILE_INVALID", "not written by csp"],
    ["the same key twice", sample.replace(line, `${line},\n    ${line}`), "CSP_LOCKFILE_INVALID", "twice"],
    [
      "a key twice inside a package",
      sample.replace('{"dependencies":{"b":"*"}}', '{"bundled":true,"bundled":true}'),
      "CSP_LOCKFILE_INVALID",
      "twice",
    ],
    ["a location outside", sample.replace('"b": [', '"../b": ['), "CSP_LOCKFILE_INVALID", "not a location"],
    ["a location in .bin", sample.replace('"b": [', '".bin": ['), "CSP_LOCKFILE_INVALID", "not a location"],
    ["__proto__ as a location", sample.replace('"b": [', '"__proto__": ['), "CSP_LOCKFILE_INVALID", "not a location"],
    ["a version with a path", sample.replace("b@1.0.0", "b@1/../../x"), "CSP_LOCKFILE_INVALID", "not an exact version"],
    ["a range", sample.replace("b@1.0.0", "b@1.x"), "CSP_LOCKFILE_INVALID", "not an exact version"],
    ["a binary outside", sample.replace('"c.js"', '"../../c.js"'), "CSP_LOCKFILE_INVALID", "outside the package"],
    [
      "a binary's name with a path",
      sample.replace('{"c":"c.js"}', '{"../c":"c.js"}'),
      "CSP_LOCKFILE_INVALID",
      "outside the package",
    ],
    ["a list", "[]", "CSP_LOCKFILE_INVALID", "not a lockfile"],
    ["deep nesting", "[".repeat(100_000), "CSP_LOCKFILE_INVALID", "nesting"],
  ];
  for (const [what, text, code, says] of cases) {
    test(what, () => {
      const error = failure(text);
      expect(`${error.code}: ${[error.message, ...error.details, error.hint].join(" ")}`).toContain(`${code}: `);
      expect([error.message, ...error.details, error.hint].join(" ")).toContain(says);
    });
  }

  test("two million entries, in little time and without reading them all", () => {
    const many = `{"lockfileVersion":2,"workspaces":{"":{}},"csp":{"version":1},"packages":{${'"a":[],'.repeat(2_000_000)}}}`;
    expect(failure(many).code).toBe("CSP_LOCKFILE_INVALID");
  });

  test("more than 64 MiB", () => {
    expect(failure(" ".repeat(65 * 1024 * 1024)).message).toContain("larger than");
  });

  test("any change of a byte is either refused by name or gives a lockfile", () => {
    fc.assert(
      fc.property(
        fc.nat(sample.length - 1),
        fc.constantFrom('"', "{", "}", ",", "x", "\\", "/", "\n", "0"),
        (at, char) => {
          try {
            parseLockfile(sample.slice(0, at) + char + sample.slice(at + 1), "x");
          } catch (error) {
            expect(error).toBeInstanceOf(CspError);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("integrity", () => {
  const kindOf = (integrity: string): string =>
    lockfileOf(["a"], { a: { integrity } }).packages.get("a")?.integrity.kind ?? "";
  const digest = integrityOf("x");
  test.each([
    [digest, "strong"],
    ["", "missing"],
    ["sha1-qUqP5cyxm6YcTAhz05Hph5gvu9M=", "weak"],
    ["md5-CY9rzUYh03PK3k6DJie09g==", "weak"],
    [`${digest} sha1-qUqP5cyxm6YcTAhz05Hph5gvu9M=`, "malformed"],
    [`${digest}?opt`, "malformed"],
    [digest.slice(0, -4), "malformed"],
    [digest.replace("sha512", "sha3"), "malformed"],
    [digest.replace(/=+$/, ""), "malformed"],
    ["sha512-", "malformed"],
  ])("%s is %s", (integrity, kind) => expect(kindOf(integrity)).toBe(kind));
});

describe("the lockfile hash", () => {
  const base: Record<string, Entry> = { a: { needs: ["b"], bin: { a: "a.js" } }, b: { os: "linux" } };
  const hash = (entries: Record<string, Entry>, roots = ["a"], linker = "isolated"): string =>
    lockfileHash(lockfileOf(roots, entries, linker));

  test("does not depend on the order of the entries", () => {
    expect(hash(Object.fromEntries(Object.entries(base).reverse()))).toBe(hash(base));
  });

  const changes: { of: string; entries?: Record<string, Entry>; roots?: string[]; linker?: string }[] = [
    { of: "a version", entries: { ...base, b: { ...base.b, is: "b@1.0.1" } } },
    { of: "bytes", entries: { ...base, b: { ...base.b, integrity: integrityOf("other") } } },
    { of: "a binary", entries: { ...base, a: { ...base.a, bin: { a: "b.js" } } } },
    { of: "a platform", entries: { ...base, b: { os: "darwin" } } },
    { of: "a dependency", entries: { ...base, a: { ...base.a, needs: [] } } },
    { of: "a root", roots: ["a", "b"] },
    { of: "the linker", linker: "hoisted" },
  ];
  for (const { of, entries = base, roots, linker } of changes) {
    test(`changes with ${of}`, () => expect(hash(entries, roots, linker)).not.toBe(hash(base)));
  }

  test("does not change with sizes, times and places", () => {
    const lockfile = lockfileOf(["a"], base);
    const packages = new Map(
      [...lockfile.packages].map(([key, pkg]) => [
        key,
        { ...pkg, size: 7, published: "x", tarball: "y.tgz", url: "z" },
      ]),
    );
    expect(lockfileHash({ ...lockfile, packages })).toBe(lockfileHash(lockfile));
  });

  test("is a constant: other hosts and other versions of csp must agree", () => {
    expect(hash(base)).toBe("56b01989f77d0055fc13064c0ffcd4bc71d06cf60285755c45f10894a8f89679");
  });
});

test("locations split at package names, not at slashes", () => {
  expect(splitLocation("a/@s/b/c")).toEqual(["a", "@s/b", "c"]);
  expect(parentLocation("a/@s/b")).toBe("a");
  expect(parentLocation("@s/b/c")).toBe("@s/b");
  expect(parentLocation("@s/b")).toBe("");
  expect(splitLocation("a//b")).toBeUndefined();
  expect(splitLocation("a/node_modules")).toBeUndefined();
});

test("the strict reader agrees with JSON on every JSON value", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
      const result = parseJsonc(JSON.stringify(value));
      expect("value" in result && JSON.stringify(result.value)).toBe(JSON.stringify(JSON.parse(JSON.stringify(value))));
    }),
  );
});
