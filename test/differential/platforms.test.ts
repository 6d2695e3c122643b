/** The same for other platforms than this host's: bun is told which one, csp's planner takes it as a value. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { buildGraph } from "../../src/core/graph.ts";
import type { Lockfile } from "../../src/core/lockfile.ts";
import { type Platform, parsePlatform, platformName } from "../../src/core/platform.ts";
import { planTree } from "../../src/core/tree-plan.ts";
import { detectPlatform } from "../../src/fs/host-platform.ts";
import { removeTree } from "../support/temp.ts";
import { compareLayouts, describe as line } from "./compare.ts";
import { buildTree, bunInstall } from "./installs.ts";
import { packageFolders, readLayout } from "./layout.ts";
import { makeFastTemp } from "./temp.ts";
import { readLockfileOf, serveLockfile, type World } from "./world.ts";

const temp = makeFastTemp();
const worlds: Record<string, World> = {};

beforeAll(async () => {
  for (const name of ["web", "tools"]) worlds[name] = await serveLockfile(await readLockfileOf(name));
}, 60_000);

afterAll(async () => {
  for (const world of Object.values(worlds)) await world.registry.stop();
  removeTree(temp);
});

/** Folders of a hoisted tree, as planned. */
function plannedFolders(lockfile: Lockfile, platform: Platform): string[] {
  const hoisted: Lockfile = { ...lockfile, linker: "hoisted" };
  return planTree(hoisted, buildGraph(hoisted, "the lockfile"), platform).copies.map((copy) => copy.path);
}

/** A package that is there on the platform and on no other one of these. */
const typical: Record<string, string> = {
  "linux-x64": "node_modules/lightningcss-linux-x64-gnu",
  "linux-arm64-musl": "node_modules/lightningcss-linux-arm64-musl",
  "darwin-arm64": "node_modules/lightningcss-darwin-arm64",
  "win32-x64": "node_modules/lightningcss-win32-x64-msvc",
};

for (const [name, platforms] of [
  ["web", Object.keys(typical).filter((each) => each !== platformName(detectPlatform()))],
  ["tools", ["darwin-arm64"]],
] as const) {
  for (const target of platforms) {
    test(`${name} for ${target}`, async () => {
      const world = worlds[name] as World;
      const platform = parsePlatform(target) as Platform;
      const bun = await bunInstall(join(temp, name, target, "bun"), world, platform);
      const folders = packageFolders(bun.root);
      if (name === "web") {
        for (const [other, path] of Object.entries(typical)) {
          expect([other, folders.includes(path)]).toEqual([other, other === target]);
        }
      }
      const inBundles = (path: string): boolean => isBundled(world.lockfile, path);
      expect(plannedFolders(world.lockfile, platform)).toEqual(folders.filter((path) => !inBundles(path)));
      const csp = await buildTree(join(temp, name, target, "csp"), world, "isolated", platform);
      const roots = Object.keys(world.lockfile.dependencies);
      const { differences, names } = compareLayouts(readLayout(bun), readLayout(csp), roots);
      expect(differences.slice(0, 20).map(line)).toEqual([]);
      expect(names).toBeGreaterThan(5000);
    }, 30_000);
  }
}

/** True for folders that come with another package's archive. */
function isBundled(lockfile: Lockfile, path: string): boolean {
  const segments = path.slice("node_modules/".length).split("/node_modules/");
  return segments.some((_, depth) => bundles(lockfile).has(segments.slice(0, depth).join("/")));
}

const known = new WeakMap<Lockfile, ReadonlySet<string>>();

/** Locations whose packages bundle others; nothing else stands below them in these lockfiles. */
function bundles(lockfile: Lockfile): ReadonlySet<string> {
  const found =
    known.get(lockfile) ??
    new Set(
      [...lockfile.packages.values()].filter((pkg) => pkg.bundled).map((pkg) => pkg.segments.slice(0, -1).join("/")),
    );
  known.set(lockfile, found);
  return found;
}
