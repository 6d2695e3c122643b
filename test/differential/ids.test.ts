/** What instance ids promise: equal closures and only they have equal ids, in whatever lockfile they stand. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isolatedIds } from "../../src/core/closure.ts";
import { buildGraph, type Node, selectForPlatform } from "../../src/core/graph.ts";
import { parseIntegrity } from "../../src/core/integrity.ts";
import type { LockedPackage, Lockfile } from "../../src/core/lockfile.ts";
import { isolatedLinks, type Link } from "../../src/core/placement.ts";
import { type Platform, parsePlatform } from "../../src/core/platform.ts";
import { planTree } from "../../src/core/tree-plan.ts";
import { integrityOf, lockfileOf } from "../unit/core/lockfile-builder.ts";
import { readLockfileOf } from "./world.ts";

const linux = parsePlatform("linux-x64") as Platform;

/** Id of every node of an isolated tree, and who links to whom. */
function idsOf(lockfile: Lockfile): { ids: Map<string, string>; links: Map<Node, Link[]> } {
  const links = isolatedLinks(selectForPlatform(buildGraph(lockfile, "test.lock"), linux));
  const ids = [...isolatedIds(links)].map(([node, id]): [string, string] => [node.pkg.location, id]);
  return { ids: new Map(ids), links };
}

const instancesOf = (lockfile: Lockfile): string[] =>
  planTree(lockfile, buildGraph(lockfile, "test.lock"), linux).instances.map((instance) => instance.id);

describe("on real lockfiles", () => {
  for (const name of ["web", "tools"]) {
    test(`${name}: the order of the lockfile does not matter`, async () => {
      const lockfile = await readLockfileOf(name);
      const packages = new Map([...lockfile.packages].reverse());
      expect(instancesOf({ ...lockfile, packages })).toEqual(instancesOf(lockfile));
    });

    test(`${name}: neither does the location`, async () => {
      const lockfile = await readLockfileOf(name);
      const before = instancesOf(lockfile);
      const after = instancesOf(below("whole", lockfile));
      expect(after.filter((id) => !id.startsWith("whole@"))).toEqual(before);
    });

    test(`${name}: a changed package changes the ids of its dependents, to the end of every chain, and no other`, async () => {
      const lockfile = await readLockfileOf(name);
      const { ids: before, links } = idsOf(lockfile);
      const placed = [...links.keys()];
      for (let at = 0; at < placed.length; at += Math.ceil(placed.length / 8)) {
        const { pkg } = placed[at] as Node;
        const { ids: after } = idsOf(withOtherBytes(lockfile, pkg));
        const changed = [...before]
          .filter(([location, id]) => after.get(location) !== id)
          .map(([location]) => location);
        expect(changed.sort()).toEqual(dependents(links, pkg).sort());
      }
    });
  }
});

/** The lockfile moved below one new package that depends on all its roots. */
function below(name: string, lockfile: Lockfile): Lockfile {
  const [top] = lockfileOf([name], { [name]: { needs: Object.keys(lockfile.dependencies) } }).packages.values();
  const packages = new Map([[name, top as LockedPackage]]);
  for (const [location, pkg] of lockfile.packages) {
    const moved = `${name}/${location}`;
    packages.set(moved, { ...pkg, location: moved, segments: [name, ...pkg.segments] });
  }
  return { ...lockfile, dependencies: { [name]: "1.0.0" }, packages };
}

/** The lockfile with other bytes for one package, wherever it stands. */
function withOtherBytes(lockfile: Lockfile, { name, version }: LockedPackage): Lockfile {
  const integrity = parseIntegrity(integrityOf("other bytes"));
  const packages = [...lockfile.packages].map(([location, pkg]): [string, LockedPackage] =>
    pkg.name === name && pkg.version === version ? [location, { ...pkg, integrity }] : [location, pkg],
  );
  return { ...lockfile, packages: new Map(packages) };
}

/** Locations of a package and of everything that leads to it. */
function dependents(links: ReadonlyMap<Node, readonly Link[]>, { name, version }: LockedPackage): string[] {
  const found = new Set([...links.keys()].filter(({ pkg }) => pkg.name === name && pkg.version === version));
  for (let before = -1; before < found.size; ) {
    before = found.size;
    for (const [node, own] of links) if (own.some(({ to }) => found.has(to))) found.add(node);
  }
  return [...found].map((node) => node.pkg.location);
}

describe("in knots", () => {
  test("a difference counts however many links away it is", () => {
    // Seen from a@1 the two are alike for as many links as there are packages; only the one after that differs.
    const knot = (meant: number): string[] => {
      const links = tie([
        { is: "a@1.0.0", links: { p: 1 } },
        { is: "p@1.0.0", links: { a: 2 } },
        { is: "a@2.0.0", links: { a: 0, q: 3 } },
        { is: "q@1.0.0", links: { a: meant } },
      ]);
      const ids = isolatedIds(links);
      return [...links.keys()].map((node) => ids.get(node) as string);
    };
    const [one, other] = [knot(0), knot(2)];
    expect(one.filter((id) => other.includes(id))).toEqual([]);
  });

  const knots: fc.Arbitrary<Knot> = fc.array(
    fc.record({
      is: fc.constantFrom("a@1.0.0", "a@2.0.0", "b@1.0.0"),
      links: fc.dictionary(fc.constantFrom("a", "b"), fc.nat({ max: 6 })),
    }),
    { minLength: 1, maxLength: 7 },
  );

  test("equal ids mean equal closures", () => {
    const property = fc.property(knots, knots, (one, other) => {
      const links = new Map([...tie(one), ...tie(other)]);
      const alike = equalClosures(links);
      const ids = [...isolatedIds(links)];
      for (const [a, id] of ids) for (const [b, same] of ids) if (id === same) expect(alike.get(a)?.has(b)).toBe(true);
    });
    fc.assert(property, { numRuns: 1000 });
  });

  test("the same knot has the same ids beside others and in another order", () => {
    const property = fc.property(knots, knots, (one, other) => {
      const links = tie(one);
      const alone = isolatedIds(links);
      const beside = isolatedIds(new Map([...tie(other), ...[...links].reverse()]));
      for (const node of links.keys()) expect(beside.get(node)).toBe(alone.get(node) as string);
    });
    fc.assert(property, { numRuns: 300 });
  });
});

/** Packages by number; a link's target is counted round. */
type Knot = { is: string; links: Record<string, number> }[];

/** Nodes and links as a tree has them. */
function tie(knot: Knot): Map<Node, Link[]> {
  const nodes = knot.map(({ is }, index): Node => {
    const [pkg] = lockfileOf(["x"], { x: { is } }).packages.values();
    return { pkg: { ...(pkg as LockedPackage), location: `at-${index}` }, edges: [] };
  });
  const linksOf = (links: Record<string, number>): Link[] =>
    Object.keys(links)
      .sort()
      .map((name) => ({
        path: `node_modules/${name}`,
        to: nodes[(links[name] as number) % nodes.length] as Node,
        inner: "",
      }));
  return new Map(nodes.map((node, index) => [node, linksOf(knot[index]?.links ?? {})]));
}

/** Which nodes cannot be told apart by following links: all pairs at first, until none can be taken out any more. */
function equalClosures(links: ReadonlyMap<Node, readonly Link[]>): Map<Node, Set<Node>> {
  const nodes = [...links.keys()];
  const own = (node: Node): string =>
    [node.pkg.name, node.pkg.version, ...(links.get(node) ?? []).map((link) => link.path)].join(" ");
  const alike = new Map(nodes.map((node) => [node, new Set(nodes.filter((other) => own(node) === own(other)))]));
  for (let again = true; again; ) {
    again = false;
    for (const [one, others] of alike) {
      for (const other of others) {
        const theirs = links.get(other) ?? [];
        const same = (links.get(one) ?? []).every(({ to }, at) => alike.get(to)?.has(theirs[at]?.to as Node));
        if (!same) again = others.delete(other);
      }
    }
  }
  return alike;
}
