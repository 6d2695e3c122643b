/**
 * Which package of a lockfile a name means. Locations are those of the hoisted layout, and so is the rule: name N from
 * location K is `K/N`, else one segment up, … else `N`.
 *
 * Below a package that bundles others the lockfile also lists what the bundled ones need, although that comes with the
 * archive and is never installed. Such a guess may hide what stands above it and what everybody but the bundle means.
 */
import { parentLocation } from "./location.ts";
import type { LockedPackage } from "./lockfile.ts";

/** The walk-up rule over any locations that are there. */
export function lookUp<T>(places: ReadonlyMap<string, T>, location: string, name: string): T | undefined {
  for (let at = location; at !== ""; at = parentLocation(at)) {
    const found = places.get(`${at}/${name}`);
    if (found !== undefined) return found;
  }
  return places.get(name);
}

/** Answers what `name` means to a package of the lockfile; `peer` where it is its peer. */
export type NameReader = (pkg: LockedPackage, name: string, peer: boolean) => LockedPackage | undefined;

/** Prepares the answers for one lockfile. */
export function createNameReader(packages: ReadonlyMap<string, LockedPackage>): NameReader {
  const guesses = findGuesses(packages);
  if (guesses.size === 0) return (pkg, name) => lookUp(packages, pkg.location, name);
  /** A guess gives way to the same package further up, which is where it stands if others need it, too. */
  const find = (location: string, name: string): LockedPackage | undefined => {
    const found = lookUp(packages, location, name);
    if (found === undefined || !guesses.has(found.location)) return found;
    const above = find(parentLocation(parentLocation(found.location)), name);
    const same = above !== undefined && above.name === found.name && above.version === found.version;
    return same && !above.bundled ? above : found;
  };
  return (pkg, name, peer) => {
    // A peer stands above its dependent, never below.
    const above = peer && guesses.has(`${pkg.location}/${name}`) ? find(parentLocation(pkg.location), name) : undefined;
    return above !== undefined && isInRange(above.version, pkg.peerDependencies[name])
      ? above
      : find(pkg.location, name);
  };
}

/** Locations below a package that bundled ones lead to, the bundled ones left out. */
function findGuesses(packages: ReadonlyMap<string, LockedPackage>): Set<string> {
  const guesses = new Set<string>();
  for (const bundled of packages.values()) {
    if (!bundled.bundled) continue;
    const owner = `${parentLocation(bundled.location)}/`;
    const todo = [bundled];
    for (const { location, dependencies, optionalDependencies, peerDependencies } of todo) {
      for (const name in { ...dependencies, ...optionalDependencies, ...peerDependencies }) {
        const found = lookUp(packages, location, name);
        if (found === undefined || found.bundled || guesses.has(found.location)) continue;
        if (!found.location.startsWith(owner)) continue;
        guesses.add(found.location);
        todo.push(found);
      }
    }
  }
  return guesses;
}

/** False for what is no range, which bun would find in every version. */
function isInRange(version: string, range: string | undefined): boolean {
  return range !== undefined && /^[\d^~<>=*]/.test(range) && Bun.semver.satisfies(version, range);
}
