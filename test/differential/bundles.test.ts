/** Packages in other packages' archives: both linkers take them as bun's hoisted layout does. */
import { expect, test } from "bun:test";
import { compareLayouts, describe } from "./compare.ts";
import { type Entry, follow, inScenario, type Scenario } from "./scenario.ts";

/** Everything is as in bun's layout, to the folder. */
function expectSame({ bun, isolated, hoisted, roots, folders }: Scenario): void {
  expect(compareLayouts(bun, isolated, roots).differences.map(describe)).toEqual([]);
  expect(compareLayouts(bun, hoisted, roots).differences.map(describe)).toEqual([]);
  expect(folders.csp).toEqual(folders.bun);
}

const leaves: Record<string, Entry> = { "c@1.0.0": {}, "c@1.5.0": {}, "c@2.0.0": {}, "d@1.0.0": {} };
const b: Entry = { dependencies: { c: "1.5.0" } };

test("what a bundle needs is not installed a second time", () =>
  inScenario(
    {
      ...leaves,
      "b@1.0.0": b,
      "o@1.0.0": {
        dependencies: { b: "1.0.0" },
        bundleDependencies: ["b"],
        holds: { b: "b@1.0.0", "b > c": "c@1.5.0" },
      },
    },
    { o: "1.0.0" },
    (scenario) => {
      expect(scenario.lockfile.packages.has("o/c")).toBe(true);
      expect(scenario.folders.csp).toHaveLength(3);
      expect(follow(scenario.isolated, "o", "b", "c")).toBe("c@1.5.0");
      expectSame(scenario);
    },
  ));

test("the owner's other dependencies stand where they would without the bundle", () =>
  inScenario(
    {
      ...leaves,
      "b@1.0.0": b,
      "x@1.0.0": { dependencies: { b: "1.0.0", c: "1.5.0" } },
      "o@1.0.0": {
        dependencies: { b: "1.0.0", c: "1.5.0", x: "1.0.0" },
        bundleDependencies: ["b"],
        holds: { b: "b@1.0.0", "b > c": "c@1.5.0" },
      },
    },
    { o: "1.0.0" },
    (scenario) => {
      expect(scenario.folders.csp).toContain("node_modules/c");
      expect(scenario.folders.csp).not.toContain("node_modules/o/node_modules/c");
      expectSame(scenario);
    },
  ));

test("a dependency that cannot stand above the owner replaces what the archive has in its place", () =>
  inScenario(
    {
      ...leaves,
      "b@1.0.0": b,
      "o@1.0.0": {
        dependencies: { b: "1.0.0", c: "1.0.0" },
        bundleDependencies: ["b"],
        holds: { b: "b@1.0.0", "b > c": "c@1.5.0", c: "c@1.5.0" },
      },
      "self@1.0.0": {},
      "self@2.0.0": { dependencies: { self: "1.0.0" }, holds: { self: "self@1.5.0" } },
    },
    { o: "1.0.0", c: "2.0.0", self: "2.0.0" },
    ({ bun, hoisted, isolated, folders }) => {
      for (const layout of [bun, hoisted]) {
        expect(follow(layout, "o", "c")).toBe("c@1.0.0");
        expect(follow(layout, "self", "self")).toBe("self@1.0.0");
      }
      expect(folders.csp).toEqual(folders.bun);
      // An isolated instance is the same wherever it stands: there the archive's own copy comes first.
      expect(follow(isolated, "o", "c")).toBe("c@1.5.0");
      expect(follow(isolated, "self", "self")).toBe("self@1.5.0");
    },
  ));

test("a copy in the archive that nobody called bundled comes first where nothing is put in its place", () =>
  inScenario(
    { ...leaves, "o@1.0.0": { dependencies: { c: "1.0.0" }, holds: { c: "c@1.5.0" } } },
    { o: "1.0.0" },
    (scenario) => {
      expect(follow(scenario.isolated, "o", "c")).toBe("c@1.5.0");
      expectSame(scenario);
    },
  ));

test("others below the owner get the registry's copy of a bundled package", () =>
  inScenario(
    {
      ...leaves,
      "b@1.0.0": { dependencies: { c: "1.5.0", d: "1.0.0" } },
      "b@3.0.0": {},
      "x@1.0.0": { dependencies: { b: "1.0.0" } },
      "x@2.0.0": {},
      "o@1.0.0": {
        dependencies: { b: "1.0.0", x: "1.0.0" },
        bundleDependencies: ["b"],
        holds: { b: "b@1.0.0", "b > c": "c@1.5.0", "b > d": "d@1.0.0" },
      },
    },
    { b: "3.0.0", o: "1.0.0", x: "2.0.0" },
    (scenario) => {
      expect(scenario.folders.csp).toContain("node_modules/o/node_modules/x/node_modules/b");
      expectSame(scenario);
    },
  ));

test("a peer that the owner bundles is shared with it", () =>
  inScenario(
    {
      ...leaves,
      "b@1.0.0": {},
      "b@3.0.0": {},
      "x@1.0.0": { peerDependencies: { b: "1.0.0" } },
      "x@2.0.0": {},
      "o@1.0.0": {
        dependencies: { b: "1.0.0", x: "1.0.0" },
        bundleDependencies: ["b"],
        holds: { b: "b@1.0.0" },
      },
    },
    { b: "3.0.0", o: "1.0.0", x: "2.0.0" },
    (scenario) => {
      for (const layout of [scenario.isolated, scenario.hoisted]) {
        const owner = layout.find(layout.root, "o") as string;
        expect(layout.find(layout.find(owner, "x") as string, "b")).toBe(layout.find(owner, "b") as string);
      }
      expectSame(scenario);
    },
  ));

test("the owner's own peer is not what its bundle needs", () =>
  inScenario(
    {
      ...leaves,
      "b@1.0.0": b,
      "o@1.0.0": {
        dependencies: { b: "1.0.0" },
        peerDependencies: { c: "^1.0.0" },
        bundleDependencies: ["b"],
        holds: { b: "b@1.0.0", "b > c": "c@1.5.0" },
      },
    },
    { o: "1.0.0", c: "1.0.0" },
    (scenario) => {
      expect(scenario.lockfile.packages.get("o/c")?.version).toBe("1.5.0");
      expect(follow(scenario.isolated, "o", "c")).toBe("c@1.0.0");
      expectSame(scenario);
    },
  ));

test("what an archive lacks of its bundle is found above the owner, or nowhere", () =>
  inScenario(
    {
      ...leaves,
      "b@1.0.0": { dependencies: { c: "1.5.0", d: "1.0.0" } },
      "o@1.0.0": { dependencies: { b: "1.0.0" }, bundleDependencies: ["b"], holds: { b: "b@1.0.0" } },
      "@s/p@1.0.0": { dependencies: { d: "1.0.0" }, bundleDependencies: ["d"] },
    },
    { o: "1.0.0", c: "2.0.0", "@s/p": "1.0.0", d: "1.0.0" },
    (scenario) => {
      expect(follow(scenario.isolated, "o", "b", "c")).toBe("c@2.0.0");
      expect(follow(scenario.isolated, "@s/p", "d")).toBe("d@1.0.0");
      expectSame(scenario);
    },
  ));

test("an owner under another name, a bundle within a bundle, a bundled package that needs its owner", () =>
  inScenario(
    {
      ...leaves,
      "b@1.0.0": { dependencies: { c: "1.0.0", o: "1.0.0" }, bundleDependencies: ["c"] },
      "o@1.0.0": {
        dependencies: { b: "1.0.0", "my-c": "npm:c@2.0.0" },
        bundleDependencies: ["b"],
        holds: { b: "b@1.0.0", "b > c": "c@1.0.0" },
      },
      "o@2.0.0": {},
    },
    { "my-o": "npm:o@1.0.0", o: "1.0.0" },
    (scenario) => {
      expect(follow(scenario.isolated, "my-o", "b", "o", "b", "c")).toBe("c@1.0.0");
      expectSame(scenario);
    },
  ));
