/** What several trees of a host share on disk, and that it makes no difference to any of them. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { buildGraph } from "../../src/core/graph.ts";
import type { Linker, Lockfile } from "../../src/core/lockfile.ts";
import { planTree } from "../../src/core/tree-plan.ts";
import { detectPlatform } from "../../src/fs/host-platform.ts";
import { buildPackage } from "../support/packages.ts";
import { startRegistry } from "../support/registry.ts";
import { removeTree } from "../support/temp.ts";
import { lockfileOf } from "../unit/core/lockfile-builder.ts";
import { snapshot, usage } from "./disk.ts";
import { cspInstall, type Installed } from "./installs.ts";
import { makeFastTemp } from "./temp.ts";
import { readLockfileOf, relock, serveLockfiles, type World, withoutRoot, withVersion } from "./world.ts";

/** A root that nothing depends on, and a package far below the roots. */
const leaf = "marked";
const deep = "electron-to-chromium";

const temp = makeFastTemp();
let base: World;
/** The same with other versions of the leaf. */
let leaves: World[];
/** The same with another version of the deep package, and then without one of the roots. */
let deeper: World;
let fewer: World;

beforeAll(async () => {
  const real = await readLockfileOf("web");
  const versionOf = (name: string): string => real.packages.get(name)?.version as string;
  const others = ["18.90.1", "18.90.2", "18.90.3", "18.90.4"].map((to) => withVersion(real, leaf, versionOf(leaf), to));
  const changed = withVersion(real, deep, versionOf(deep), "1.90.0");
  const worlds = await serveLockfiles([real, changed, withoutRoot(changed, "eslint"), ...others]);
  [base, deeper, fewer, ...leaves] = worlds as [World, World, World, ...World[]];
}, 60_000);

afterAll(async () => {
  await base.registry.stop();
  removeTree(temp);
});

const packagesOf = ({ outermost }: Installed): string => join(outermost, "packages", "v1");

function plannedIds(lockfile: Lockfile): string[] {
  const isolated: Lockfile = { ...lockfile, linker: "isolated" };
  const plan = planTree(isolated, buildGraph(isolated, "the lockfile"), detectPlatform());
  return plan.instances.map((instance) => instance.id);
}

/** Instances by name, each with the inodes of its folder and its package's files. */
function inodes(packages: string): Map<string, string> {
  const inode = (path: string): number | undefined => statSync(path, { throwIfNoEntry: false })?.ino;
  return new Map(
    readdirSync(packages).map((id) => {
      const name = (JSON.parse(readFileSync(join(packages, id, "instance.json"), "utf8")) as { name: string }).name;
      const files = ["package.json", "index.js"].map((file) => join(packages, id, "node_modules", name, file));
      return [id, [join(packages, id), ...files].map(inode).join(" ")];
    }),
  );
}

describe("five versions that differ in one package", () => {
  test("of the leaf share all else, and cost little", async () => {
    const folder = join(temp, "leaf");
    const first = await cspInstall(folder, base, "isolated");
    const before = inodes(packagesOf(first));
    const one = usage([packagesOf(first)]);
    for (const [index, world] of leaves.entries()) {
      await cspInstall(folder, world, "isolated");
      const now = inodes(packagesOf(first));
      expect(now.size).toBe(before.size + index + 1);
      expect([...before].filter(([id, own]) => now.get(id) !== own)).toEqual([]);
    }
    const five = usage([packagesOf(first)]);
    expect(five.inodes).toBeLessThan(one.inodes * 1.02);
    expect(five.bytes).toBeLessThan(one.bytes * 1.02);
  }, 60_000);

  test("of a deep package build its dependents anew, from the files that are there", async () => {
    const folder = join(temp, "deep");
    const first = await cspInstall(folder, base, "isolated");
    const before = inodes(packagesOf(first));
    await cspInstall(folder, deeper, "isolated");
    const now = inodes(packagesOf(first));
    const known = new Set(plannedIds(base.lockfile));
    const fresh = plannedIds(deeper.lockfile).filter((id) => !known.has(id));
    expect(fresh.length).toBeGreaterThan(5);
    expect([...now.keys()].filter((id) => !before.has(id)).sort()).toEqual(fresh);
    expect([...before].filter(([id, own]) => now.get(id) !== own)).toEqual([]);
    const files = (own: string): string => own.split(" ").slice(1).join(" ");
    const old = new Set([...before.values()].map(files));
    const unshared = fresh.filter((id) => !old.has(files(now.get(id) as string)));
    expect(unshared.map((id) => id.slice(0, id.lastIndexOf("-")))).toEqual([`${deep}@1.90.0`]);
  }, 60_000);
});

/** All of a tree: its folder, and the instances it names. */
function wholeTree({ root, outermost }: Installed): Map<string, string>[] {
  const { instances } = JSON.parse(readFileSync(join(root, "tree.json"), "utf8")) as { instances: string[] };
  return [root, ...instances.map((id) => join(outermost, "packages", "v1", id))].map(snapshot);
}

for (const linker of ["isolated", "hoisted"] as const) {
  test(`${linker}: a tree is the same to the byte, whatever was installed before it`, async () => {
    const folder = join(temp, `history-${linker}`);
    const old = await cspInstall(folder, base, linker);
    const before = wholeTree(old);
    await cspInstall(folder, deeper, linker);
    const last = await cspInstall(folder, fewer, linker);
    const fresh = await cspInstall(join(temp, `fresh-${linker}`), fewer, linker);
    expect(last.root.split("/").at(-1)).toBe(fresh.root.split("/").at(-1));
    expect(wholeTree(last)).toEqual(wholeTree(fresh));
    expect(wholeTree(old)).toEqual(before);
    expect(before.length).toBeGreaterThan(1400);
  }, 60_000);
}

test("an instance made from another's files has its empty folders, modes and no foreign links", async () => {
  const specs = [
    buildPackage({ name: "c", version: "1.0.0" }),
    buildPackage({ name: "c", version: "2.0.0" }),
    buildPackage({ name: "p", version: "1.0.0" }),
  ].map(({ name, version, tarball }) => ({ name, version, tarball }));
  const registry = await startRegistry([
    ...specs,
    {
      name: "p",
      version: "2.0.0",
      files: { "package.json": `{"bin":"cli.js"}`, "cli.js": "", "node_modules/b/index.js": "" },
      meta: { extra: [{ path: "package/empty/within", type: "directory" }] },
    },
  ]);
  const world = (c: string, linker: Linker): World => {
    const entries = { p: { is: "p@2.0.0", needs: ["c", "p"] }, "p/p": { is: "p@1.0.0" }, c: { is: `c@${c}` } };
    const lockfile = relock(lockfileOf(["p"], entries, linker), registry);
    return { registry, lockfile: { ...lockfile, dependencies: { p: "2.0.0" } } };
  };
  try {
    await cspInstall(join(temp, "donor"), world("1.0.0", "isolated"), "isolated");
    const relinked = await cspInstall(join(temp, "donor"), world("2.0.0", "isolated"), "isolated");
    const fresh = await cspInstall(join(temp, "unpacked"), world("2.0.0", "isolated"), "isolated");
    expect(wholeTree(relinked)).toEqual(wholeTree(fresh));
    const instance = wholeTree(relinked).find((each) => each.has("node_modules/p/cli.js"));
    expect(instance?.get("node_modules/p/cli.js")).toStartWith("file 555 ");
    expect(instance?.get("node_modules/p/empty/within")).toBe("folder 755");
    expect(instance?.get("node_modules/p/node_modules/p")).toStartWith("link ../../../../p@1.0.0-");
  } finally {
    await registry.stop();
  }
}, 30_000);
