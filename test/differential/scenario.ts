/** Small registries written down package by package, resolved by bun and installed in all three ways. */
import { join } from "node:path";
import { type Lockfile, parseLockfile } from "../../src/core/lockfile.ts";
import type { PackageSpec } from "../support/packages.ts";
import { startRegistry } from "../support/registry.ts";
import { removeTree } from "../support/temp.ts";
import { buildTree, bunInstall, bunResolve } from "./installs.ts";
import { type Layout, packageFolders, readLayout } from "./layout.ts";
import { makeFastTemp } from "./temp.ts";
import { relock } from "./world.ts";

/** A package's manifest without name and version, and what its archive has in node_modules: `name@version` by path. */
export interface Entry {
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  peerDependenciesMeta?: Record<string, { optional: boolean }>;
  bundleDependencies?: string[];
  os?: string[];
  holds?: Record<string, string>;
}

export interface Scenario {
  lockfile: Lockfile;
  bun: Layout;
  isolated: Layout;
  hoisted: Layout;
  /** Names of the roots. */
  roots: string[];
  /** Folders of packages in the two hoisted layouts. */
  folders: { bun: string[]; csp: string[] };
}

/** Installs `roots` from a registry of `entries` (by `name@version`) and hands over what is there as long as `body` runs. */
export async function inScenario(
  entries: Record<string, Entry>,
  roots: Record<string, string>,
  body: (scenario: Scenario) => void | Promise<void>,
): Promise<void> {
  const registry = await startRegistry(Object.entries(entries).map(([id, entry]) => specOf(id, entry, entries)));
  const temp = makeFastTemp();
  try {
    const dependencies = { dependencies: roots, optionalDependencies: {} };
    const text = await bunResolve(join(temp, "resolve"), registry.url, dependencies);
    const resolved = { ...parseLockfile(text, "bun.lock", "bun"), dependencies: roots };
    const world = { registry, lockfile: relock(resolved, registry) };
    const bun = await bunInstall(join(temp, "bun"), world);
    const isolated = await buildTree(join(temp, "isolated"), world, "isolated");
    const hoisted = await buildTree(join(temp, "hoisted"), world, "hoisted");
    await body({
      lockfile: world.lockfile,
      bun: readLayout(bun),
      isolated: readLayout(isolated),
      hoisted: readLayout(hoisted),
      roots: Object.keys(roots),
      folders: { bun: packageFolders(bun.root), csp: packageFolders(hoisted.root) },
    });
  } finally {
    await registry.stop();
    removeTree(temp);
  }
}

/** What stands at the end of a chain of names, as `name@version`: each is looked up in the package before it. */
export function follow(layout: Layout, ...chain: string[]): string | undefined {
  let at: string | undefined = layout.root;
  for (const name of chain) at = at && layout.find(at, name);
  return at && layout.label(at);
}

function specOf(id: string, { holds = {}, ...manifest }: Entry, entries: Record<string, Entry>): PackageSpec {
  const files: Record<string, string> = {};
  const put = (at: string, own: string, rest: object): void => {
    const [name, version] = partsOf(own);
    files[`${at}package.json`] = JSON.stringify({ name, version, ...rest });
    files[`${at}index.js`] = `module.exports = ${JSON.stringify(own)};\n`;
  };
  put("", id, manifest);
  for (const [path, own] of Object.entries(holds)) {
    const { holds: _, ...inner } = entries[own] ?? {};
    put(`node_modules/${path.replaceAll(" > ", "/node_modules/")}/`, own, inner);
  }
  const [name, version] = partsOf(id);
  return { name, version, files };
}

function partsOf(id: string): [name: string, version: string] {
  const at = id.lastIndexOf("@");
  return [id.slice(0, at), id.slice(at + 1)];
}
