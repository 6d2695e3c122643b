import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { valid } from "semver";
import { checkExactVersion, checkPackageName, checkRegistryName } from "../../../src/core/package-name.ts";

const good = [
  "lodash",
  "left-pad",
  "@acme/tools",
  "@types/node",
  "a",
  "7zip",
  "lodash.get",
  "a_b",
  "@-x/y",
  "@a/_b",
  "x".repeat(214),
];
const old = ["JSONStream", "events", "buffer", "bun", "-", "a~b", "what's", "@Acme/Tools", "--flag"];
const bad = [
  "",
  "../x",
  "@a/../b",
  "@a/..",
  "@../a",
  ".",
  "..",
  ".bin",
  "@a/.bin",
  "_x",
  "node_modules",
  "@a/node_modules",
  "Node_Modules",
  "favicon.ico",
  "__proto__",
  "@a/__proto__",
  "constructor",
  "prototype",
  "a/b",
  "@a",
  "@/a",
  "@a/",
  "@a/b/c",
  "@@a/b",
  "a@b",
  "a b",
  " a",
  "a\n",
  "a\0",
  "a\\b",
  "C:x",
  "a%2fb",
  "a?b",
  "a#b",
  "lоdash", // a Cyrillic o
  "ｌodash",
  "x".repeat(215),
  `@a/${"x".repeat(212)}`,
];

test.each(good)("%s is a name", (name) => {
  expect(checkPackageName(name)).toBeUndefined();
  expect(checkRegistryName(name)).toBeUndefined();
});

test.each(old)("%s can be in a registry but not be imported by that name", (name) => {
  expect(checkRegistryName(name)).toBeUndefined();
  expect(checkPackageName(name)).toBeString();
});

test.each(bad)("%p is no name anywhere", (name) => {
  expect(checkRegistryName(name)).toBeString();
  expect(checkPackageName(name)).toBeString();
});

test("an upper-case name and a built-in module come with the way round them", () => {
  expect(checkPackageName("JSONStream")).toContain("`jsonstream: npm:JSONStream@VERSION`");
  expect(checkPackageName("events")).toContain("`npm-events: npm:events@VERSION`");
});

test("no accepted name leaves the folder it is put into", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[@a./\\_ -]{1,8}$/), (name) => {
      if (checkRegistryName(name) !== undefined) return;
      expect(name.split("/")).not.toContain("..");
      expect(name).not.toMatch(/\\|^\/|\/$|\/\/|(^|\/)\./);
      expect(name.split("/").length).toBeLessThanOrEqual(name.startsWith("@") ? 2 : 1);
    }),
    { numRuns: 2000 },
  );
});

describe("exact versions", () => {
  test.each([
    "0.0.0",
    "1.2.3",
    "1.2.3-rc.1",
    "1.2.3-0",
    "1.0.0--",
    "2.1.0+build.5",
    "1.2.3-a.b+c.d",
    "9007199254740991.0.0",
  ])("%s is one", (text) => {
    expect(checkExactVersion(text)).toBeUndefined();
  });

  test.each([
    ["", "no version"],
    ["1", "three parts"],
    ["1.2", "three parts"],
    ["^1.2.3", "range"],
    ["~1", "range"],
    [">=1 <2", "range"],
    ["1.x", "range"],
    ["*", "range"],
    ["x", "range"],
    ["1.2.3 || 2", "range"],
    ["latest", "tag"],
    ["v1.2.3", "no `v`"],
    ["=1.2.3", "no `v`"],
    ["1/../../x", "not an exact version"],
    ["1.2.3.4", "not an exact version"],
    ["01.2.3", "not an exact version"],
    ["1.2.3-01", "not an exact version"],
    ["1.2.3\n", "not an exact version"],
    ["npm:a@1.2.3", "not an exact version"],
    ["9007199254740992.0.0", "too large"],
    [`1.2.3-${"a".repeat(300)}`, "at most"],
  ])("%p is none: %s", (text, why) => {
    expect(checkExactVersion(text)).toContain(why);
  });

  test("what it accepts, semver accepts, and the other way round", () => {
    const text = fc.oneof(
      fc.stringMatching(/^[0-9.a+-]{1,14}$/),
      fc.stringMatching(/^[0-9]{1,2}\.[0-9]\.[0-9](-[0-9a.-]{0,6})?(\+[0-9a.]{0,4})?$/),
    );
    fc.assert(
      fc.property(text, (version) => {
        // semver drops the build part of what it returns.
        const accepted = valid(version) !== null && valid(version) === version.replace(/\+.*$/, "");
        expect(checkExactVersion(version) === undefined).toBe(accepted);
      }),
      { numRuns: 3000 },
    );
  });
});
