/** Where csp means to differ from a hoisted `bun install` of the same lockfile, and how. */
import { expect, test } from "bun:test";
import { isCspError } from "../../src/core/errors.ts";
import { type Entry, follow, inScenario } from "./scenario.ts";

const other: Entry = { os: [process.platform === "aix" ? "sunos" : "aix"] };

test("an isolated package does not find what it did not declare", () =>
  inScenario({ "a@1.0.0": {}, "b@1.0.0": {} }, { a: "1.0.0", b: "1.0.0" }, ({ bun, hoisted, isolated }) => {
    expect(follow(bun, "a", "b")).toBe("b@1.0.0");
    expect(follow(hoisted, "a", "b")).toBe("b@1.0.0");
    expect(follow(isolated, "a", "b")).toBeUndefined();
  }));

test("an isolated script finds what the allowlist names, not what that depends on", () =>
  inScenario(
    { "a@1.0.0": { dependencies: { b: "1.0.0" } }, "b@1.0.0": {} },
    { a: "1.0.0" },
    ({ hoisted, isolated }) => {
      expect(follow(hoisted, "b")).toBe("b@1.0.0");
      expect(follow(isolated, "b")).toBeUndefined();
      expect(follow(isolated, "a", "b")).toBe("b@1.0.0");
    },
  ));

test("an optional dependency that no version satisfies is not taken for the one that happens to stand above", () =>
  inScenario(
    { "a@1.0.0": { optionalDependencies: { b: "^9.0.0" } }, "b@1.0.0": {} },
    { a: "1.0.0", b: "1.0.0" },
    ({ bun, hoisted, isolated }) => {
      expect(follow(bun, "a", "b")).toBe("b@1.0.0");
      expect(follow(hoisted, "a", "b")).toBe("b@1.0.0");
      expect(follow(isolated, "a", "b")).toBeUndefined();
    },
  ));

test("nor is one that does not fit the host", () =>
  inScenario(
    { "a@1.0.0": { optionalDependencies: { b: "2.0.0" } }, "b@1.0.0": {}, "b@2.0.0": other },
    { a: "1.0.0", b: "1.0.0" },
    ({ bun, hoisted, isolated }) => {
      expect(follow(bun, "a", "b")).toBe("b@1.0.0");
      expect(follow(hoisted, "a", "b")).toBe("b@1.0.0");
      expect(follow(isolated, "a", "b")).toBeUndefined();
    },
  ));

test("an optional package that requires one that does not fit is left out, where bun installs it without", () =>
  inScenario(
    {
      "a@1.0.0": { optionalDependencies: { wrap: "1.0.0" } },
      "wrap@1.0.0": { dependencies: { native: "1.0.0" } },
      "native@1.0.0": other,
    },
    { a: "1.0.0" },
    ({ bun, hoisted, isolated }) => {
      expect(follow(bun, "a", "wrap")).toBe("wrap@1.0.0");
      expect(follow(bun, "a", "wrap", "native")).toBeUndefined();
      expect(follow(hoisted, "a", "wrap")).toBeUndefined();
      expect(follow(isolated, "a", "wrap")).toBeUndefined();
    },
  ));

test("a required package that does not fit is an error, where bun says nothing", async () => {
  let error: unknown;
  await inScenario(
    { "a@1.0.0": { dependencies: { native: "1.0.0" } }, "native@1.0.0": other },
    { a: "1.0.0" },
    () => {},
  ).catch((thrown) => {
    error = thrown;
  });
  expect(isCspError(error, "CSP_PLATFORM")).toBe(true);
});

test("an isolated package under another name finds itself by its own name, too", () =>
  inScenario(
    { "a@1.0.0": { optionalDependencies: { a: "^9.0.0" } } },
    { alias: "npm:a@1.0.0" },
    ({ bun, isolated }) => {
      expect(follow(bun, "alias", "a")).toBeUndefined();
      expect(follow(isolated, "alias", "a")).toBe("a@1.0.0");
    },
  ));
