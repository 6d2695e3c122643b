/** What changed between two lockfiles, package by package. */
import { byteOrder } from "./location.ts";
import type { Lockfile } from "./lockfile.ts";

export interface PackageChange {
  kind: "added" | "removed" | "changed";
  name: string;
  /** Versions before, in byte order; none for an added one. */
  from: readonly string[];
  to: readonly string[];
  /** True where the allowlist names it before or after. */
  direct: boolean;
}

/** Changes by name, in byte order; packages whose set of versions stayed are left out. */
export function diffLockfiles(before: Lockfile | undefined, after: Lockfile): PackageChange[] {
  const old = versionsByName(before);
  const now = versionsByName(after);
  const direct = new Set([...rootNames(before), ...rootNames(after)]);
  const result: PackageChange[] = [];
  for (const name of [...new Set([...old.keys(), ...now.keys()])].sort(byteOrder)) {
    const from = [...(old.get(name) ?? [])].sort(byteOrder);
    const to = [...(now.get(name) ?? [])].sort(byteOrder);
    if (from.join() === to.join()) continue;
    const kind = from.length === 0 ? "added" : to.length === 0 ? "removed" : "changed";
    result.push({ kind, name, from, to, direct: direct.has(name) });
  }
  return result;
}

function versionsByName(lockfile: Lockfile | undefined): Map<string, Set<string>> {
  const result = new Map<string, Set<string>>();
  for (const pkg of lockfile?.packages.values() ?? []) {
    const versions = result.get(pkg.name);
    if (versions) versions.add(pkg.version);
    else result.set(pkg.name, new Set([pkg.version]));
  }
  return result;
}

/** Registry names of what a lockfile's roots resolve to. */
function rootNames(lockfile: Lockfile | undefined): string[] {
  if (lockfile === undefined) return [];
  const keys = [...Object.keys(lockfile.dependencies), ...Object.keys(lockfile.optionalDependencies)];
  return keys.map((key) => lockfile.packages.get(key)?.name ?? key);
}
