import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { readPlainYaml } from "../../../src/core/yaml-plain.ts";
import { largest, readWithLibrary, readYaml } from "../../../src/core/yaml-read.ts";
import { formatScalar } from "../../../src/core/yaml-splice.ts";
import { deepest, locator } from "../../../src/core/yaml-tree.ts";
import { mutated, samples, soup } from "./samples.ts";

function problemOf(text: string): string {
  const result = readYaml(text);
  return result.ok ? "none" : (result.problems[0]?.text ?? "none");
}

describe("the quick reader", () => {
  test.each([
    "full",
    "windows line breaks",
    "unsorted",
    "sorted, wide, quoted",
    "groups and blank lines",
    "lists of lines",
  ])("reads what is ordinary: %s", (name) => {
    expect(readPlainYaml(samples[name] ?? "")).toBeObject();
  });

  test("leaves to the library what it does not know", () => {
    for (const text of [
      "null: 1",
      "a: &x 1",
      "a: 'it''s'",
      'a: "\\n"',
      "a: |\n  x",
      "---\na: 1",
      "a: {b: {c: 1}}",
      "a: b: c",
      "a: [1",
      "\ta: 1",
      "a:\n   b: 1\n  c: 1",
    ]) {
      expect(readPlainYaml(text)).toBe("beyond");
    }
  });

  test.each(Object.entries(samples))("says what the library says: %s", (_, text) => {
    agree(text.replace(/^\ufeff/, ""));
  });

  test("says what the library says, for whatever text", () => {
    let quick = 0;
    fc.assert(
      fc.property(fc.oneof(soup, mutated), (text) => {
        if (agree(text)) quick++;
      }),
      { numRuns: 2000 },
    );
    expect(quick).toBeGreaterThan(150);
  });

  /** True where the quick reader had an answer to compare. */
  function agree(text: string): boolean {
    const plain = readPlainYaml(text);
    if (plain === "beyond") return false;
    expect(readWithLibrary(text)).toEqual({ ok: true, root: plain });
    return true;
  }
});

describe("refused with a reason", () => {
  test.each([
    ["a:\n\tb: 1", "a tab as indentation"],
    ["a: &x 1", "anchor"],
    ["a: 1\nb: *x", "anchor"],
    ["a: &x {b: *x}", "anchor"],
    ["a: !!str 1", "tag"],
    ["a: !x {}", "tag"],
    ["<<: {a: 1}", "merge key"],
    ["a: 1\n---\nb: 1", "second document"],
    ["a: 1\n...\n", "`...`"],
    ["%YAML 1.1\n---\na: no", "directive"],
    ["? a\n: 1", "a key that is not a plain word"],
    ["{a: 1}: 1", "a key that is not a plain word"],
    ["~: 1", "as a key means nothing"],
    [": 1", "without a key"],
    ["a: 'x", "never closed"],
    ["a: @x", "quotes"],
    ["a: b: c", "indentation"],
    ["a: {b: 1", "not YAML: flow map"],
    ["a: \u0000", "control character"],
    ["a: 1\rb: 2", "control character"],
    ["a: 1\n<<<<<<< HEAD\nb: 2\n=======\nb: 3\n>>>>>>> other\n", "unfinished merge"],
    ["a: ".padEnd(largest + 1, "x"), "at most"],
  ])("%p", (text, why) => {
    expect(problemOf(text)).toContain(why);
  });

  test.each([
    ["[".repeat(200_000)],
    [`a: ${"[".repeat(100_000)}${"]".repeat(100_000)}`],
    ["{a: ".repeat(50_000)],
    ["- ".repeat(100_000)],
    ["? ".repeat(100_000)],
    [Array.from({ length: 600 }, (_, i) => `${" ".repeat(i)}a:`).join("\n")],
    ["[\n".repeat(100_000)],
  ])("deep nesting, at once", (text) => {
    const before = performance.now();
    expect(problemOf(text)).toBe(`nested deeper than ${deepest} levels`);
    expect(performance.now() - before).toBeLessThan(1000);
  });

  test("ten levels are not deep", () => {
    expect(readYaml(`a: ${"[".repeat(10)}${"]".repeat(10)}`).ok).toBe(true);
    expect(readYaml(Array.from({ length: 10 }, (_, i) => `${" ".repeat(i)}a:`).join("\n")).ok).toBe(true);
  });
});

test("for any text: a tree or problems, never an exception", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "binary", maxLength: 60 }), soup, mutated), (text) => {
      const result = readYaml(text);
      if (!result.ok) expect(result.problems.length).toBeGreaterThan(0);
    }),
    { numRuns: 1500 },
  );
});

test("a place is a line and a column, counted from 1", () => {
  const place = locator("ab\n\ncd");
  expect([0, 1, 2, 3, 4, 5].map(place).map(({ line, column }) => `${line}:${column}`)).toEqual([
    "1:1",
    "1:2",
    "1:3",
    "2:1",
    "3:1",
    "3:2",
  ]);
});

describe("writing a scalar", () => {
  test.each([
    ["1.2.3", "1.2.3"],
    ["1.10", '"1.10"'],
    ["1e3", '"1e3"'],
    ["0x1", '"0x1"'],
    ["123", '"123"'],
    ["true", '"true"'],
    ["no", '"no"'],
    ["y", '"y"'],
    ["null", '"null"'],
    ["", '""'],
    ["@acme/tools", '"@acme/tools"'],
    ["npm:@acme/a@1.0.0", "npm:@acme/a@1.0.0"],
    ["https://npm.example.com/", "https://npm.example.com/"],
    ["a: b", '"a: b"'],
    ["a #b", '"a #b"'],
  ])("%p becomes %s", (value, written) => {
    expect(formatScalar(value, "plain")).toBe(written);
  });

  test("reads back the same, in any style", () => {
    const value = fc.oneof(
      fc.string({ unit: "grapheme", maxLength: 12 }),
      fc.stringMatching(/^[0-9a-fxon.:+ '"#@{},_-]{0,8}$/),
    );
    fc.assert(
      fc.property(value, fc.constantFrom("plain" as const, "single" as const, "double" as const), (text, style) => {
        const written = formatScalar(text, style);
        for (const document of [`k: ${written}\n`, `k: { a: ${written} }\n`]) {
          const result = readYaml(document);
          expect(JSON.stringify(result)).toContain(`"value":${JSON.stringify(text)}`);
        }
      }),
      { numRuns: 700 },
    );
  });
});
