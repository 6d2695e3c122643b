/**
 * Random registries, resolved by bun: both linkers give what bun's own hoisted layout gives. `CSP_TEST_RUNS` and
 * `CSP_TEST_SEED` hunt further than the fixed few of every day.
 */
import { expect, test } from "bun:test";
import { join } from "node:path";
import fc from "fast-check";
import { parseLockfile } from "../../src/core/lockfile.ts";
import { startRegistry } from "../support/registry.ts";
import { removeTree } from "../support/temp.ts";
import { compareLayouts, describe, isUnresolved } from "./compare.ts";
import { buildTree, bunInstall, bunResolve } from "./installs.ts";
import { packageFolders, readLayout } from "./layout.ts";
import { type RandomRegistry, randomRegistry } from "./random-packages.ts";
import { makeFastTemp } from "./temp.ts";
import { relock, type World } from "./world.ts";

const numRuns = Number(process.env.CSP_TEST_RUNS ?? 60);
const seed = Number(process.env.CSP_TEST_SEED ?? 20260701);

/** Resolves and installs with bun; undefined for what bun cannot put into any node_modules. */
async function solvable<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (/dependency cycle into node_modules|failed to resolve/.test(String(error))) return undefined;
    throw error;
  }
}

/** Names that were compared. */
async function check(random: RandomRegistry): Promise<number> {
  const registry = await startRegistry(random.packages);
  const temp = makeFastTemp();
  try {
    const text = await solvable(bunResolve(join(temp, "resolve"), registry.url, random));
    if (text === undefined) return 0;
    const { dependencies, optionalDependencies } = random;
    const resolved = { ...parseLockfile(text, "bun.lock", "bun"), dependencies, optionalDependencies };
    const world: World = { registry, lockfile: relock(resolved, registry) };
    const bun = await solvable(bunInstall(join(temp, "bun"), world));
    if (bun === undefined) return 0;
    const roots = [...Object.keys(dependencies), ...Object.keys(optionalDependencies)];
    let names = 0;
    for (const linker of ["isolated", "hoisted"] as const) {
      const tree = await buildTree(join(temp, linker), world, linker);
      const compared = compareLayouts(readLayout(bun), readLayout(tree), roots);
      names += compared.names;
      const real = compared.differences.filter((each) => !isUnresolved(each));
      expect(real.map((each) => `${linker}: ${describe(each)}`)).toEqual([]);
      // Where archives bundle packages a second copy may stand elsewhere; otherwise even the folders are the same.
      const bundles = [...world.lockfile.packages.values()].some((pkg) => pkg.bundled);
      if (linker === "hoisted" && !bundles) expect(packageFolders(tree.root)).toEqual(packageFolders(bun.root));
    }
    return names;
  } finally {
    await registry.stop();
    removeTree(temp);
  }
}

test("random registries: every name means the same version", async () => {
  let compared = 0;
  const property = fc.asyncProperty(randomRegistry, async (random) => {
    if ((await check(random)) > 0) compared++;
  });
  await fc.assert(property, { numRuns, seed, endOnFailure: false });
  expect(compared).toBeGreaterThan(numRuns / 2);
}, 600_000);
