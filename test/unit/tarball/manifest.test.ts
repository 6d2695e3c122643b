/** package.json decides whether this is the package that was locked, and which files are programs. */
import { afterAll, describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { isCspError } from "../../../src/core/errors.ts";
import { parseManifest, sameVersion } from "../../../src/core/tar-manifest.ts";
import { manifest, tgz } from "../../support/tar-builder.ts";
import { createBox, demoPackage } from "../../support/unpack-box.ts";

const box = createBox();
afterAll(() => box[Symbol.dispose]());

const parse = (value: unknown, expected = demoPackage) =>
  parseManifest(Buffer.from(typeof value === "string" ? value : JSON.stringify(value)), expected);
const parseDemo = (more: object) => parse({ ...demoPackage, ...more });

function ruleOf(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return isCspError(error, "CSP_TARBALL_INVALID") ? error.data.rule : error;
  }
  return "accepted";
}

test.each([
  ["1.0.0", "1.0.0"],
  ["v1.0.0", "1.0.0"],
  ["=1.0.0", "1.0.0"],
  [" = v1.0.0 ", "1.0.0"],
  ["1.0.0+build.5", "1.0.0"],
  ["1.0.0", "1.0.0+build.5"],
  ["01.002.0", "1.2.0"],
  ["1.0.0beta1", "1.0.0-beta1"],
  ["1.0.0-rc.01", "1.0.0-rc.1"],
  ["2024.01.05", "2024.1.5"],
])("%p in package.json is %p in the registry", (written, listed) => {
  expect(sameVersion(written, listed)).toBe(true);
});

test.each([
  ["1.0.1", "1.0.0"],
  ["1.0.0-beta", "1.0.0"],
  ["1.0.0-beta.1", "1.0.0-beta.2"],
  ["1.0", "1.0.0"],
  ["1.0.00x", "1.0.0"],
  ["latest", "1.0.0"],
  ["", "1.0.0"],
])("%p in package.json is not %p", (written, listed) => {
  expect(sameVersion(written, listed)).toBe(false);
});

test("another version is another package", () => {
  expect(ruleOf(() => parse({ name: "demo", version: "v1.0.0" }))).toBe("accepted");
  expect(ruleOf(() => parse({ name: "demo", version: "1.0.1" }))).toBe("manifest-mismatch");
});

test("a name may differ in case and surrounding space only", () => {
  expect(ruleOf(() => parse({ name: "Demo ", version: "1.0.0" }))).toBe("accepted");
  expect(ruleOf(() => parse({ name: "demo2", version: "1.0.0" }))).toBe("manifest-mismatch");
  expect(ruleOf(() => parse({ name: "@demo/demo", version: "1.0.0" }))).toBe("manifest-mismatch");
});

test.each([
  ["not JSON", "{", "manifest-invalid"],
  ["empty", "", "manifest-invalid"],
  ["a list", "[]", "manifest-invalid"],
  ["null", "null", "manifest-invalid"],
  ["without name and version", "{}", "manifest-invalid"],
  ["with a number for a version", '{"name":"demo","version":1}', "manifest-invalid"],
  ["with a name from the prototype", '{"__proto__":{"name":"demo","version":"1.0.0"}}', "manifest-invalid"],
])("package.json that is %s", (_title, text, rule) => {
  expect(ruleOf(() => parse(text))).toBe(rule);
});

test("a byte order mark is no harm", () => {
  expect(parse(`\ufeff${JSON.stringify(demoPackage)}`).name).toBe("demo");
});

describe("bin", () => {
  test.each(["../x", "@a/../../x", ".", "..", "", "@a/", "a/..", "a\\b", "a\nb", "@a/."])(
    "refuses the name %p",
    (name) => {
      expect(ruleOf(() => parseDemo({ bin: { [name]: "cli.js" } }))).toBe("bin");
    },
  );

  test.each(["../x", "a/../../x", "..", "C:x", "a\\..\\b", "a\0b", "/../x"])("refuses the path %p", (path) => {
    expect(ruleOf(() => parseDemo({ bin: { x: path } }))).toBe("bin");
    expect(ruleOf(() => parseDemo({ bin: path }))).toBe("bin");
    expect(ruleOf(() => parseDemo({ directories: { bin: path } }))).toBe("bin");
  });

  test.each([
    ["a path", "./cli.js", { demo: "cli.js" }],
    ["a map", { a: "x/../a.js", b: "/b.js" }, { a: "a.js", b: "b.js" }],
    ["a map with a scope or folder", { "@s/a": "a.js", "t/b": "b.js" }, { a: "a.js", b: "b.js" }],
    ["a list", ["bin/a", "b"], { a: "bin/a", b: "b" }],
    ["other values", { a: null, b: 1, c: ["x"], d: "d.js" }, { d: "d.js" }],
    ["no value", undefined, {}],
    ["a number", 1, {}],
    [
      "a name from the prototype",
      JSON.parse('{"__proto__":"p.js","constructor":"c.js"}'),
      JSON.parse('{"__proto__":"p.js","constructor":"c.js"}'),
    ],
  ])("as %s", (_title, bin, expected) => {
    expect(Object.entries(parseDemo({ bin }).bin)).toEqual(Object.entries(expected));
  });

  test("of a scoped package is named without the scope", () => {
    const scoped = { name: "@acme/tool", version: "1.0.0" };
    expect(parse({ ...scoped, bin: "cli.js" }, scoped).bin).toEqual({ tool: "cli.js" });
  });
});

test("files named by bin, or lying in directories.bin, get execute bits; others do not", async () => {
  const files = ["bin/a", "bin/b", "bin/sub/c", "cli.js"].map((path) => ({ name: `package/${path}`, body: "#!" }));
  const modes = async (more: object) => {
    const attempt = await box.unpack(tgz([manifest({ ...more }), ...files]));
    expect(attempt.message).toBe("");
    const mode = (path: string) => fs.statSync(`${box.root}/a/b/c/destination/${path}`).mode & 0o111;
    return Object.keys(attempt.files)
      .filter((path) => mode(path) === 0o111)
      .sort();
  };
  expect(await modes({})).toEqual([]);
  expect(await modes({ bin: { x: "cli.js", y: "missing.js", z: "bin" } })).toEqual(["cli.js"]);
  expect(await modes({ directories: { bin: "./bin" } })).toEqual(["bin/a", "bin/b"]);
  expect(await modes({ directories: { bin: "bin" }, bin: "cli.js" })).toEqual(["cli.js"]);
  expect(await modes({ directories: { bin: "missing" } })).toEqual([]);
});

test("install scripts are told, also the one that binding.gyp implies", async () => {
  const scripted = async (more: object, ...files: string[]) =>
    (await box.unpack(tgz([manifest({ ...more }), ...files.map((name) => ({ name: `package/${name}` }))]))).result
      ?.hasInstallScript;
  expect(await scripted({})).toBe(false);
  expect(await scripted({ scripts: { test: "x", prepare: "x" } })).toBe(false);
  for (const script of ["preinstall", "install", "postinstall"]) {
    expect(await scripted({ scripts: { [script]: "node x.js" } })).toBe(true);
  }
  expect(await scripted({}, "binding.gyp")).toBe(true);
  expect(await scripted({ gypfile: false }, "binding.gyp")).toBe(false);
  expect(await scripted({}, "src/binding.gyp")).toBe(false);
});

test("the wrong package is refused by what it says it is", async () => {
  const attempt = await box.unpack(tgz([manifest()]), { name: "other", version: "2.0.0" });
  expect(attempt.message).toBe("the archive of `other@2.0.0` is refused: package.json says `demo@1.0.0`");
  expect(attempt.exists).toBe(false);
});

test("a package.json over its limit is refused unread", async () => {
  const attempt = await box.unpack(tgz([manifest({ pad: "x".repeat(1000) })]), undefined, { manifestBytes: 500 });
  expect([attempt.rule, attempt.exists]).toEqual(["manifest-invalid", false]);
});
