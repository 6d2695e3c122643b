/**
 * The protocol of stores in random worlds. A run that fails says its seed; `CSP_TEST_SEED=<seed>` begins with it.
 * CSP_TEST_LONG=1 makes 20 times as many, of longer lives.
 */
import { describe, expect, test } from "bun:test";
import { formatStoreRoot } from "../../../src/core/store-root.ts";
import { chooseSeed } from "../../support/random.ts";
import { createWorld, findRest, runAll, runAlone, type Variant, type World } from "./store-model.ts";
import { collector, grace, host, intentLimit, operator, publisher, skew } from "./store-model-agents.ts";
import { migrator } from "./store-model-migrator.ts";

const long = process.env.CSP_TEST_LONG === "1";

/** Requests of one world, of all agents together. */
const steps = { short: 100, deep: 500 };

/** Time enough for everything to be over for everybody. */
const longest = grace + intentLimit + 4 * skew;

interface Told {
  damage: string | undefined;
  /** What was left in the end. */
  rest: string | undefined;
  generations: number;
  isMoved: boolean;
}

function walk(seed: number, variant: Variant, requests: number): Told {
  const world = createWorld(seed, variant);
  const { source, target } = world.stores;
  const { random } = world;
  const migrates = random.chance(0.25);
  const collectAll = (): void => {
    world.now += longest;
    for (const store of [source, target]) runAlone(world, collector(world, store, 1));
  };
  const several = (most: number, agent: () => ReturnType<typeof publisher>) =>
    Array.from({ length: 1 + random.below(most) }, () => agent);
  runAll(world, {
    agents: [
      ...several(4, () => publisher(world)),
      ...several(3, () => collector(world, source)),
      () => operator(world),
      () => host(world),
      ...(migrates ? [() => migrator(world), () => collector(world, target)] : []),
    ],
    steps: migrates ? 1.5 * requests : requests,
    rest: collectAll,
  });
  for (let i = 0; i < 2; i++) collectAll();
  const { damage } = world;
  const rest = damage === undefined ? findRest(world) : undefined;
  if (seed % 50 === 0 && Object.keys(variant).length === 0) checkTexts(world);
  return { damage, rest, generations: source.root?.generation ?? 0, isMoved: source.root?.moved !== undefined };
}

/** That every root of the world can be written and read. */
function checkTexts(world: World): void {
  for (const { root } of Object.values(world.stores)) if (root !== undefined) formatStoreRoot(root);
}

describe("the store protocol, in random worlds", () => {
  const runs = long ? 40_000 : 2000;
  test(
    `${runs} times: loses nothing that a retained release refers to, and leaves nothing else`,
    () => {
      const first = chooseSeed();
      let generations = 0;
      let moved = 0;
      for (let seed = first; seed < first + runs; seed++) {
        const told = walk(seed, {}, long ? steps.deep : steps.short);
        const found = told.damage ?? told.rest;
        if (found !== undefined) throw new Error(`${long ? "CSP_TEST_LONG=1 " : ""}CSP_TEST_SEED=${seed}: ${found}`);
        generations += told.generations;
        if (told.isMoved) moved++;
      }
      // The worlds are not empty ones.
      expect(generations / runs).toBeGreaterThan(15);
      expect(moved).toBeGreaterThan(runs / 50);
    },
    long ? 900_000 : 60_000,
  );

  test.each<[string, Variant]>([
    ["keys that are used again", { reusableKeys: true }],
    ["an intent that is not looked for at commit", { uncheckedCommit: true }],
    ["orphans that can be taken back", { orphansDoomed: true }],
    ["orphans of a later listing, deleted at once", { orphansUnnamed: true, listedAfterRoot: true }],
  ])(
    "with %s it loses",
    (name, variant) => {
      for (let seed = 1; seed <= 20_000; seed++) if (walk(seed, variant, steps.deep).damage !== undefined) return;
      throw new Error(`nothing lost: the worlds are too tame to judge ${name}`);
    },
    60_000,
  );

  test.each<[string, Variant]>([
    ["a listing after the root", { listedAfterRoot: true }],
    ["orphans that are deleted at once", { orphansUnnamed: true }],
  ])("with only %s it does not", (_, variant) => {
    for (let seed = 1; seed <= 200; seed++) expect(walk(seed, variant, steps.short).damage).toBeUndefined();
  });
});
