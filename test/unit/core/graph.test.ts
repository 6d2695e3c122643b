import { describe, expect, test } from "bun:test";
import { isolatedIds } from "../../../src/core/closure.ts";
import { CspError } from "../../../src/core/errors.ts";
import { buildGraph, depths, label, selectForPlatform, shortestChain } from "../../../src/core/graph.ts";
import { isolatedLinks } from "../../../src/core/placement.ts";
import type { Platform } from "../../../src/core/platform.ts";
import { planTree } from "../../../src/core/tree-plan.ts";
import { type Entry, lockfileOf } from "./lockfile-builder.ts";

const linux: Platform = { os: "linux", cpu: "x64", libc: "glibc" };

/** What every name means from every location: `location > name` to location. */
function edges(roots: string[], entries: Record<string, Entry>): Record<string, string> {
  const graph = buildGraph(lockfileOf(roots, entries), "test.lock");
  const result: Record<string, string> = {};
  for (const [location, node] of graph.nodes) {
    for (const edge of node.edges) result[`${location} > ${edge.name}`] = edge.to.pkg.location;
  }
  return result;
}

/** Links of each instance of an isolated tree: path to target, by `name@version` where ids are not ambiguous. */
function links(roots: string[], entries: Record<string, Entry>): Record<string, string[]> {
  const lockfile = lockfileOf(roots, entries);
  const all = isolatedLinks(selectForPlatform(buildGraph(lockfile, "test.lock"), linux));
  const result: Record<string, string[]> = {};
  for (const [node, list] of all) {
    result[node.pkg.location] = list.map((link) => `${link.path} = ${link.to.pkg.location}`);
  }
  return result;
}

function ids(roots: string[], entries: Record<string, Entry>): Record<string, string> {
  const lockfile = lockfileOf(roots, entries);
  const all = isolatedIds(isolatedLinks(selectForPlatform(buildGraph(lockfile, "test.lock"), linux)));
  return Object.fromEntries([...all].map(([node, id]) => [node.pkg.location, id]));
}

function codeOf(action: () => unknown): CspError {
  try {
    action();
  } catch (error) {
    if (error instanceof CspError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("which version a name means", () => {
  test("the nearest one, walking up", () => {
    const found = edges(["a", "b"], {
      a: { needs: ["c"] },
      b: { needs: ["c"] },
      c: {},
      "b/c": { is: "c@2.0.0", needs: ["a"] },
    });
    expect(found).toEqual({ "a > c": "c", "b > c": "b/c", "b/c > a": "a" });
  });

  test("scopes are one segment", () => {
    const found = edges(["@s/a"], {
      "@s/a": { needs: ["@s/b"] },
      "@s/a/@s/b": { needs: ["x"] },
      "@s/a/x": {},
      x: { is: "x@2.0.0" },
    });
    expect(found).toEqual({ "@s/a > @s/b": "@s/a/@s/b", "@s/a/@s/b > x": "@s/a/x" });
  });

  test("a name in `unresolved` means nothing, even where one stands above", () => {
    expect(edges(["a", "c"], { a: { optional: ["c"], unresolved: ["c"] }, c: {} })).toEqual({});
  });

  test("optional peers bind where one is there and are skipped where none is", () => {
    const found = edges(["a", "p"], { a: { peers: ["p", "q"], optionalPeers: ["p", "q"] }, p: {} });
    expect(found).toEqual({ "a > p": "p" });
  });

  test("a required name that leads nowhere is an error that names both", () => {
    const error = codeOf(() => edges(["a"], { a: { needs: ["gone"] } }));
    expect(error.code).toBe("CSP_LOCKFILE_INVALID");
    expect(error.details.join()).toContain("`a` needs `gone`");
  });

  test("a dependency on itself is no edge, one on another version of itself is", () => {
    const found = edges(["a"], { a: { needs: ["a"] }, "a/a": { is: "a@0.9.0" } });
    expect(found).toEqual({ "a > a": "a/a" });
  });
});

describe("what a platform gets", () => {
  test("an optional package that does not fit is left out, with what only it needs", () => {
    const graph = buildGraph(
      lockfileOf(["a"], { a: { optional: ["mac"] }, mac: { os: "darwin", needs: ["helper"] }, helper: {} }),
      "test.lock",
    );
    const selection = selectForPlatform(graph, linux);
    expect([...selection.nodes].map(label)).toEqual(["a@1.0.0"]);
    expect(selection.skipped.map(label)).toEqual(["mac@1.0.0"]);
  });

  test("an optional package that requires one that does not fit is left out, too", () => {
    const graph = buildGraph(
      lockfileOf(["a"], { a: { optional: ["wrap"] }, wrap: { needs: ["mac"] }, mac: { os: "darwin" } }),
      "test.lock",
    );
    expect([...selectForPlatform(graph, linux).nodes].map(label)).toEqual(["a@1.0.0"]);
  });

  test("a required one that does not fit is an error with the chain", () => {
    const graph = buildGraph(
      lockfileOf(["a"], { a: { needs: ["b"] }, b: { needs: ["mac"] }, mac: { os: "darwin" } }),
      "t",
    );
    const error = codeOf(() => selectForPlatform(graph, linux));
    expect(error.code).toBe("CSP_PLATFORM");
    expect(error.message).toContain("`mac@1.0.0` does not run on linux-x64");
    expect(error.details.join("\n")).toContain("a@1.0.0 > b@1.0.0 > mac@1.0.0");
  });

  test("in a cycle the walk ends", () => {
    const graph = buildGraph(
      lockfileOf(["a"], { a: { needs: ["b"] }, b: { needs: ["a", "mac"] }, mac: { os: "darwin" } }),
      "test.lock",
    );
    expect(codeOf(() => selectForPlatform(graph, linux)).code).toBe("CSP_PLATFORM");
  });
});

describe("where an isolated package finds its dependencies", () => {
  test("beside it", () => {
    expect(links(["a"], { a: { needs: ["b", "@s/c"] }, b: {}, "@s/c": {} }).a).toEqual([
      "node_modules/@s/c = @s/c",
      "node_modules/b = b",
    ]);
  });

  test("an older version of itself inside it", () => {
    expect(links(["a"], { a: { needs: ["a"] }, "a/a": { is: "a@0.9.0" } }).a).toEqual([
      "node_modules/a/node_modules/a = a/a",
    ]);
  });

  test("bundled packages are no instances, and nothing is installed for them", () => {
    const found = links(["o"], {
      o: { needs: ["b"] },
      "o/b": { bundled: true, needs: ["c"] },
      "o/c": {},
    });
    expect(found).toEqual({ o: [] });
  });

  test("what a bundle may lack is linked beside the owner from what is installed above it", () => {
    const found = links(["o", "c", "d"], {
      o: { needs: ["b", "d"] },
      "o/b": { bundled: true, needs: ["c"], peers: ["d", "o"] },
      "o/c": { is: "c@2.0.0" },
      "o/d": { is: "d@2.0.0" },
      b: {},
      c: { needs: ["b"] },
      d: {},
    });
    expect(found.o).toEqual(["node_modules/b = b", "node_modules/c = c", "node_modules/d = o/d"]);
  });

  test("an alias that means itself is linked, because its folder has the registry's name", () => {
    const alias = { is: "a@1.0.0", needs: ["my-a", "a"] };
    expect(links(["my-a", "a"], { "my-a": alias, a: { is: "a@2.0.0" } })["my-a"]).toEqual([
      "node_modules/a/node_modules/a = a",
      "node_modules/my-a = my-a",
    ]);
  });

  test("others than the owner get the registry's copy of a bundled package, with what that needs", () => {
    const found = links(["o"], {
      o: { needs: ["b", "x"] },
      "o/b": { bundled: true, needs: ["c"] },
      "o/c": {},
      "o/x": { needs: ["b"] },
    });
    expect(found).toEqual({
      o: ["node_modules/x = o/x"],
      "o/x": ["node_modules/b = o/b"],
      "o/b": ["node_modules/c = o/c"],
      "o/c": [],
    });
  });
});

describe("where a hoisted layout has packages", () => {
  const places = (roots: string[], entries: Record<string, Entry>): string[] => {
    const lockfile = lockfileOf(roots, entries, "hoisted");
    return planTree(lockfile, buildGraph(lockfile, "test.lock"), linux).copies.map(
      ({ path, id }) => `${path} = ${id.slice(0, id.lastIndexOf("-"))}`,
    );
  };

  test("at their locations; what only bundled packages lead to is nowhere", () => {
    expect(
      places(["o"], { o: { needs: ["b", "d"] }, "o/b": { bundled: true, needs: ["c"] }, "o/c": {}, d: {} }),
    ).toEqual(["node_modules/d = d@1.0.0", "node_modules/o = o@1.0.0"]);
  });

  test("a registry's copy stands in the folder of the one that needs it, and so does what it does not find", () => {
    const entries = {
      o: { needs: ["b", "x"] },
      "o/b": { bundled: true, needs: ["c", "d", "x"] },
      "o/c": { is: "c@2.0.0" },
      "o/x": { needs: ["b"] },
      c: {},
      d: {},
    };
    expect(places(["o", "c", "d"], entries)).toEqual([
      "node_modules/c = c@1.0.0",
      "node_modules/d = d@1.0.0",
      "node_modules/o = o@1.0.0",
      "node_modules/o/node_modules/x = x@1.0.0",
      "node_modules/o/node_modules/x/node_modules/b = b@1.0.0",
      "node_modules/o/node_modules/x/node_modules/b/node_modules/c = c@2.0.0",
    ]);
  });
});

describe("instance ids", () => {
  const tree = { a: { needs: ["b"] }, b: { needs: ["c"] }, c: {}, other: {} };

  test("change for what depends on a changed package, and for nothing else", () => {
    const before = ids(["a", "other"], tree);
    const after = ids(["a", "other"], { ...tree, c: { is: "c@1.0.1" } });
    expect(after.other).toBe(before.other as string);
    expect(after.a).not.toBe(before.a as string);
    expect(after.b).not.toBe(before.b as string);
    expect(before.a).toMatch(/^a@1\.0\.0-[0-9a-f]{32}$/);
  });

  test("are the same for the same closure at another place", () => {
    const flat = ids(["a"], tree);
    const nested = ids(["x", "b"], {
      x: { needs: ["a"] },
      "x/a": { needs: ["b"] },
      "x/b": { needs: ["c"] },
      "x/c": {},
      b: { is: "b@9.0.0" },
    });
    expect(nested["x/a"]).toBe(flat.a as string);
  });

  test("tell apart the same package with different dependencies", () => {
    const found = ids(["a", "x"], {
      a: { needs: ["p"] },
      p: {},
      x: { needs: ["a", "p"] },
      "x/a": { needs: ["p"] },
      "x/p": { is: "p@2.0.0" },
    });
    expect(found["x/a"]).not.toBe(found.a as string);
  });

  test("cycles: equal wherever they are entered and in whatever order the lockfile lists them", () => {
    const cycle = { a: { needs: ["b"] }, b: { needs: ["c"] }, c: { needs: ["a", "leaf"] }, leaf: {} };
    const one = ids(["a"], cycle);
    const other = ids(["c"], { leaf: {}, c: cycle.c, b: cycle.b, a: cycle.a });
    expect(other).toEqual(one);
    const changed = ids(["a"], { ...cycle, leaf: { is: "leaf@1.0.1" } });
    for (const name of ["a", "b", "c"]) expect(changed[name]).not.toBe(one[name] as string);
  });

  test("scoped names become one folder name", () => {
    expect(ids(["@s/a"], { "@s/a": {} })["@s/a"]).toMatch(/^@s\+a@1\.0\.0-/);
  });
});

test("a tree's links lead to instances by relative paths", () => {
  const lockfile = lockfileOf(["a", "@s/b"], { a: { needs: ["@s/b"], bin: { "@x/tool": "cli.js" } }, "@s/b": {} });
  const plan = planTree(lockfile, buildGraph(lockfile, "t"), linux);
  const [b, a] = plan.instances;
  expect(plan.links).toEqual([
    { path: "node_modules/@s/b", target: `../../../../packages/v1/${b?.id}/node_modules/@s/b` },
    { path: "node_modules/a", target: `../../../packages/v1/${a?.id}/node_modules/a` },
  ]);
  expect(a?.links).toEqual([{ path: "node_modules/@s/b", target: `../../../${b?.id}/node_modules/@s/b` }]);
  expect(plan.bins).toEqual([{ name: "tool", root: "a", path: "cli.js" }]);
});

test("depths count from the allowlist, chains are shortest", () => {
  const graph = buildGraph(
    lockfileOf(["a", "b"], { a: { needs: ["b", "c"] }, b: { needs: ["d"] }, c: { needs: ["d"] }, d: {} }),
    "t",
  );
  expect(Object.fromEntries([...depths(graph)].map(([node, depth]) => [node.pkg.name, depth]))).toEqual({
    a: 1,
    b: 1,
    c: 2,
    d: 2,
  });
  expect(shortestChain(graph, "d").map(label)).toEqual(["b@1.0.0", "d@1.0.0"]);
});
