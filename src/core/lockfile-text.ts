/**
 * The canonical text of a lockfile: a bun.lock in plain JSON (no comments, no trailing commas), one package a line, keys
 * in byte order, registry hosts stripped, csp's own facts under `csp`. Equal values give equal bytes.
 */
import type { Json, JsonObject } from "./jsonc.ts";
import { byteOrder } from "./location.ts";
import { type LockedPackage, type Lockfile, lockfileFormat } from "./lockfile.ts";
import { lockfileText } from "./lockfile-layout.ts";

/** Writes a lockfile whose packages all have a strong integrity. */
export function formatLockfile(lockfile: Lockfile): string {
  const packages: JsonObject = {};
  const learned: JsonObject = {};
  const sorted = [...lockfile.packages.values()].sort(
    (a, b) => a.segments.length - b.segments.length || byteOrder(a.location, b.location),
  );
  for (const pkg of sorted) packages[pkg.location] = tuple(pkg);
  for (const pkg of sorted.sort((a, b) => byteOrder(a.name, b.name) || byteOrder(a.version, b.version))) {
    const facts: JsonObject = {};
    if (pkg.size !== undefined) facts.size = pkg.size;
    if (pkg.published !== undefined) facts.published = pkg.published;
    if (pkg.tarball !== undefined) facts.tarball = pkg.tarball;
    if (Object.keys(facts).length > 0) learned[`${pkg.name}@${pkg.version}`] = facts;
  }
  const root: JsonObject = { name: "script-packages" };
  if (Object.keys(lockfile.dependencies).length > 0) root.dependencies = sortedNames(lockfile.dependencies);
  if (Object.keys(lockfile.optionalDependencies).length > 0) {
    root.optionalDependencies = sortedNames(lockfile.optionalDependencies);
  }
  return lockfileText({
    lockfileVersion: 2,
    configVersion: 1,
    workspaces: { "": root },
    packages,
    csp: { version: lockfileFormat, linker: lockfile.linker, packages: learned },
  });
}

function tuple(pkg: LockedPackage): Json {
  if (pkg.integrity.kind !== "strong") throw new Error(`no strong integrity for ${pkg.location}`);
  const info: JsonObject = {};
  const names = (key: "dependencies" | "optionalDependencies" | "peerDependencies"): void => {
    if (Object.keys(pkg[key]).length > 0) info[key] = sortedNames(pkg[key]);
  };
  const list = (key: string, values: readonly string[]): void => {
    if (values.length > 0) info[key] = [...values].sort(byteOrder);
  };
  names("dependencies");
  names("optionalDependencies");
  names("peerDependencies");
  list("optionalPeers", pkg.optionalPeers);
  list("unresolved", pkg.unresolved);
  for (const key of ["os", "cpu", "libc"] as const) {
    const values = pkg.limits[key];
    if (values.length === 1) info[key] = values[0] as string;
    else list(key, values);
  }
  if (Object.keys(pkg.bin).length > 0) info.bin = sortedNames(pkg.bin);
  if (pkg.binDir !== undefined) info.binDir = pkg.binDir;
  if (pkg.hasInstallScript) info.hasInstallScript = true;
  if (pkg.bundled) info.bundled = true;
  return [`${pkg.name}@${pkg.version}`, "", info, pkg.integrity.text];
}

function sortedNames(names: Readonly<Record<string, string>>): JsonObject {
  const result: JsonObject = {};
  for (const key of Object.keys(names).sort(byteOrder)) result[key] = names[key] as string;
  return result;
}
