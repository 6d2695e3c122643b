/**
 * Both linkers on real lockfiles of more than 1,000 packages: every name that every package declares means the same
 * version as in a hoisted `bun install` of the same lockfile.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { testNeeding } from "../support/needs.ts";
import { removeTree } from "../support/temp.ts";
import { type Comparison, compareLayouts, describe as line } from "./compare.ts";
import { bunInstall, cspInstall, type Installed } from "./installs.ts";
import { declaredNames, type Layout, namesIn, packageFolders, readLayout } from "./layout.ts";
import { makeFastTemp } from "./temp.ts";
import { readLockfileOf, serveLockfile, type World } from "./world.ts";

/** Asks Node itself: reads `[folder, name]` pairs, prints what it gets from requiring the package there. */
const askNode = `
const { createRequire } = require("node:module");
const pairs = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const answers = pairs.map(([folder, name]) => createRequire(folder + "/package.json")(name + "/index.js"));
console.log(JSON.stringify(answers));`;

for (const [name, leastPackages] of [
  ["web", 1400],
  ["tools", 2000],
] as const) {
  describe(name, () => {
    const temp = makeFastTemp();
    let world: World;
    let roots: string[];
    let oracle: Layout;
    const installed = {} as Record<"bun" | "isolated" | "hoisted", Installed>;
    const layouts = {} as Record<"isolated" | "hoisted", Layout>;
    const compared = {} as Record<"isolated" | "hoisted", Comparison>;

    beforeAll(async () => {
      world = await serveLockfile(await readLockfileOf(name));
      roots = Object.keys(world.lockfile.dependencies);
      installed.bun = await bunInstall(join(temp, "bun"), world);
      oracle = readLayout(installed.bun);
      for (const linker of ["isolated", "hoisted"] as const) {
        installed[linker] = await cspInstall(join(temp, linker), world, linker);
        layouts[linker] = readLayout(installed[linker]);
        compared[linker] = compareLayouts(oracle, layouts[linker], roots);
      }
    }, 60_000);

    afterAll(async () => {
      await world.registry.stop();
      removeTree(temp);
    });

    for (const linker of ["isolated", "hoisted"] as const) {
      test(`${linker}: every name means the same version`, () => {
        const { differences, names, visited } = compared[linker];
        expect(differences.slice(0, 20).map(line)).toEqual([]);
        expect(names).toBeGreaterThan(5000);
        expect(new Set([...visited.other].map(layouts[linker].label)).size).toBeGreaterThan(leastPackages);
      });

      testNeeding(["node"], `${linker}: Node finds what the comparison found`, async () => {
        const layout = layouts[linker];
        const pairs: [string, string][] = [];
        const expected: string[] = [];
        for (const folder of [...compared[linker].visited.other].sort()) {
          for (const declared of declaredNames(layout.manifest(folder)).keys()) {
            const found = layout.find(folder, declared);
            if (found === undefined || (folder.length + declared.length) % 3 > 0) continue;
            pairs.push([folder, declared]);
            expected.push(layout.label(found));
          }
        }
        const child = Bun.spawn(["node", "-e", askNode], { stdin: new Blob([JSON.stringify(pairs)]), stdout: "pipe" });
        expect(JSON.parse(await new Response(child.stdout).text())).toEqual(expected);
        expect(expected.length).toBeGreaterThan(1000);
      });

      test(`${linker}: scripts can import what the lockfile names and nothing else`, () => {
        expect(namesIn(join(installed[linker].root, "node_modules"))).toEqual(
          linker === "isolated" ? [...roots].sort() : namesIn(join(installed.bun.root, "node_modules")),
        );
      });
    }

    test("hoisted: the folders are those of bun, none more and none less", () => {
      expect(packageFolders(installed.hoisted.root)).toEqual(packageFolders(installed.bun.root));
    });

    test("isolated: every instance is needed, and holds links to declared dependencies only", () => {
      const packages = join(installed.isolated.outermost, "packages", "v1");
      const folders = [...compared.isolated.visited.other].filter((folder) => !isBundled(folder));
      const instances = folders.map((folder) => instanceOf(folder));
      expect([...new Set(instances)].map((path) => basename(path)).sort()).toEqual(readdirSync(packages).sort());
      const { manifest } = layouts.isolated;
      for (const folder of folders) {
        const known = new Set([manifest(folder).name, ...declaredNames(manifest(folder)).keys()]);
        for (const inner of packageFolders(folder)) {
          for (const each of declaredNames(manifest(join(folder, inner))).keys()) {
            known.add(each);
          }
        }
        const undeclared = namesIn(join(instanceOf(folder), "node_modules")).filter((each) => !known.has(each));
        if (undeclared.length > 0) throw new Error(`${folder} sees ${undeclared.join(", ")}`);
      }
      for (const above of [packages, dirname(packages), dirname(dirname(packages))]) {
        expect(existsSync(join(above, "node_modules"))).toBe(false);
      }
    });
  });
}

/** The instance's own folder: what stands before the first `node_modules`. */
function instanceOf(folder: string): string {
  return folder.slice(0, folder.indexOf("/node_modules/"));
}

function isBundled(folder: string): boolean {
  return folder.indexOf("/node_modules/") !== folder.lastIndexOf("/node_modules/");
}
