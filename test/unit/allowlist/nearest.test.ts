import { expect, test } from "bun:test";
import fc from "fast-check";
import { nearest } from "../../../src/core/nearest.ts";

const settings = [
  "packages",
  "registry",
  "linker",
  "platforms",
  "sizeCap",
  "minimumReleaseAge",
  "minimumFreeSpace",
  "store",
  "gc",
];

test.each([
  ["registy", "registry"],
  ["regsitry", "registry"],
  ["package", "packages"],
  ["sizecap", "sizeCap"],
  ["MinimumReleaseage", "minimumReleaseAge"],
  ["strore", "store"],
  ["cg", "gc"],
])("%s is taken for %s", (word, meant) => {
  expect(nearest(word, settings)).toBe(meant);
});

test.each(["lodash", "x", "", "zz", "a".repeat(100)])("%s is near nothing", (word) => {
  expect(nearest(word, settings)).toBeUndefined();
});

test("the nearer one wins, and of equals the first", () => {
  expect(nearest("reactt", ["redact", "react"])).toBe("react");
  expect(nearest("bat", ["cat", "rat"])).toBe("cat");
});

test("one changed letter in a long word is always found", () => {
  const word = fc.stringMatching(/^[a-z]{4,20}$/);
  fc.assert(
    fc.property(word, fc.nat(), (text, at) => {
      const index = at % text.length;
      expect(nearest(`${text.slice(0, index)}0${text.slice(index + 1)}`, [text])).toBe(text);
    }),
  );
});
