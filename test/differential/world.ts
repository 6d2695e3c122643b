/** A registry on loopback that stands in for the real one: small packages with a lockfile's names and dependencies. */

import { buildGraph, depths } from "../../src/core/graph.ts";
import { parseIntegrity } from "../../src/core/integrity.ts";
import { locationPath } from "../../src/core/location.ts";
import { type LockedPackage, type Lockfile, parseLockfile } from "../../src/core/lockfile.ts";
import type { PackageSpec } from "../support/packages.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";

export interface World {
  registry: TestRegistry;
  /** The lockfile with the integrities of the packages that the registry serves. */
  lockfile: Lockfile;
}

/** A real lockfile of this folder. */
export async function readLockfileOf(name: string): Promise<Lockfile> {
  const bytes = await Bun.file(`${import.meta.dir}/lockfiles/${name}.lock.gz`).bytes();
  return parseLockfile(new TextDecoder().decode(Bun.gunzipSync(bytes)), name);
}

/** Serves a package for every entry of the lockfile. The caller stops the registry. */
export async function serveLockfile(real: Lockfile): Promise<World> {
  const [world] = await serveLockfiles([real]);
  return world as World;
}

/** Serves several lockfiles from one registry; what they share is served as the first one has it. */
export async function serveLockfiles(reals: readonly Lockfile[]): Promise<World[]> {
  const specs = new Map<string, PackageSpec>();
  for (const real of reals) {
    const bundles = bundledFiles(real);
    for (const pkg of real.packages.values()) {
      const files = { ...ownFiles(pkg), ...bundles.get(idOf(pkg)) };
      if (!specs.has(idOf(pkg))) specs.set(idOf(pkg), { name: pkg.name, version: pkg.version, files });
    }
  }
  const registry = await startRegistry([...specs.values()]);
  return reals.map((real) => ({ registry, lockfile: relock(real, registry) }));
}

/** The lockfile with another version of one package, wherever it stands. */
export function withVersion(lockfile: Lockfile, name: string, from: string, to: string): Lockfile {
  const packages = new Map<string, LockedPackage>();
  for (const [location, pkg] of lockfile.packages) {
    packages.set(location, pkg.name === name && pkg.version === from ? { ...pkg, version: to } : pkg);
  }
  const dependencies = { ...lockfile.dependencies };
  if (dependencies[name] === from) dependencies[name] = to;
  return { ...lockfile, dependencies, packages };
}

/** The lockfile without a root and without all that nothing else leads to. */
export function withoutRoot(lockfile: Lockfile, root: string): Lockfile {
  const { [root]: _, ...dependencies } = lockfile.dependencies;
  const graph = buildGraph({ ...lockfile, dependencies }, "the lockfile");
  const left = new Set([...depths(graph).keys()].map((node) => node.pkg.location));
  const packages = new Map([...lockfile.packages].filter(([location]) => left.has(location)));
  return { ...lockfile, dependencies, packages };
}

/** The lockfile for the registry's bytes. */
export function relock(real: Lockfile, registry: TestRegistry): Lockfile {
  const packages = new Map<string, LockedPackage>();
  for (const [location, pkg] of real.packages) {
    const { integrity, tarball } = registry.package(pkg.name, pkg.version);
    const { size: _size, tarball: _path, ...rest } = pkg;
    packages.set(location, { ...rest, url: "", integrity: parseIntegrity(integrity), size: tarball.length });
  }
  return { ...real, packages };
}

export const idOf = (pkg: { name: string; version: string }): string => `${pkg.name}@${pkg.version}`;

/** A package.json and modules that say what they are. */
function ownFiles(pkg: LockedPackage): Record<string, string> {
  const { name, version, dependencies, optionalDependencies, peerDependencies, optionalPeers, limits, bin } = pkg;
  const meta = Object.fromEntries(optionalPeers.map((peer) => [peer, { optional: true }]));
  const manifest = { name, version, dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta: meta };
  const files: Record<string, string> = {};
  for (const path of Object.values(bin)) files[path.replace(/^\.\//, "")] = "#!/usr/bin/env node\n";
  files["index.js"] = `module.exports = ${JSON.stringify(idOf(pkg))};\n`;
  files["package.json"] = JSON.stringify({ ...manifest, ...limits, bin });
  return files;
}

/**
 * What archives bundle, by `name@version`: as npm packs it, with everything that the bundled packages need, which the
 * lockfile lists below their owner.
 */
function bundledFiles(real: Lockfile): Map<string, Record<string, string>> {
  const result = new Map<string, Record<string, string>>();
  for (const [location, pkg] of real.packages) {
    if (!pkg.bundled) continue;
    const ownerLocation = location.slice(0, -(pkg.segments.at(-1) as string).length - 1);
    const owner = real.packages.get(ownerLocation);
    if (owner === undefined || result.has(idOf(owner))) continue;
    const files: Record<string, string> = {};
    for (const [below, inner] of real.packages) {
      if (!below.startsWith(`${ownerLocation}/`)) continue;
      const at = locationPath(inner.segments.slice(owner.segments.length));
      for (const [path, text] of Object.entries(ownFiles(inner))) files[`${at}/${path}`] = text;
    }
    result.set(idOf(owner), files);
  }
  return result;
}
