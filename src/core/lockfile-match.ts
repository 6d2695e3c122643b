/** Whether a lockfile says what an allowlist asks for. */
import type { Allowlist, AllowlistEntry } from "./allowlist.ts";
import { CspError } from "./errors.ts";
import { byteOrder } from "./location.ts";
import type { Lockfile } from "./lockfile.ts";

/** The root dependencies an allowlist means: name to exact version, or `npm:name@version` for an alias. */
export interface Roots {
  dependencies: Record<string, string>;
  optionalDependencies: Record<string, string>;
}

/** The enabled entries as root dependencies, in byte order. */
export function rootsOf(allowlist: Allowlist): Roots {
  const roots: Roots = { dependencies: {}, optionalDependencies: {} };
  const enabled = [...allowlist.packages.values()].filter((entry) => entry.enabled);
  for (const entry of enabled.sort((a, b) => byteOrder(a.key, b.key))) {
    roots[entry.optional ? "optionalDependencies" : "dependencies"][entry.key] = rootSpec(entry);
  }
  return roots;
}

function rootSpec(entry: AllowlistEntry): string {
  return entry.key === entry.name ? entry.version : `npm:${entry.name}@${entry.version}`;
}

/** One way in which a lockfile and an allowlist differ; `name` is "" for a setting. */
export interface Difference {
  name: string;
  text: string;
}

/** All differences, in byte order of the names; none means that the lockfile matches. */
export function compareToAllowlist(allowlist: Allowlist, lockfile: Lockfile): Difference[] {
  const wanted = flatten(rootsOf(allowlist));
  const locked = flatten(lockfile);
  const result: Difference[] = [];
  if (allowlist.linker !== lockfile.linker) {
    result.push({ name: "", text: `linker: lockfile ${lockfile.linker}, allowlist ${allowlist.linker}` });
  }
  for (const name of [...new Set([...wanted.keys(), ...locked.keys()])].sort(byteOrder)) {
    const a = wanted.get(name);
    const l = locked.get(name);
    if (a === l) {
      const pkg = lockfile.packages.get(name);
      const entry = allowlist.packages.get(name);
      if (pkg === undefined && entry?.optional) continue;
      if (pkg?.version === entry?.version && pkg?.name === entry?.name) continue;
      result.push({
        name,
        text: `${name}: the lockfile asks for ${l} and resolves it to ${pkg ? `${pkg.name}@${pkg.version}` : "nothing"}`,
      });
    } else
      result.push({ name, text: `${name}: lockfile ${l ?? "does not have it"}, allowlist ${a ?? "does not have it"}` });
  }
  return result;
}

function flatten(roots: Pick<Lockfile, "dependencies" | "optionalDependencies">): Map<string, string> {
  const result = new Map(Object.entries(roots.dependencies));
  for (const [name, spec] of Object.entries(roots.optionalDependencies)) result.set(name, `${spec} (optional)`);
  return result;
}

/** Throws CSP_LOCKFILE_OUTDATED with the differences, if there are any. */
export function requireMatch(
  allowlist: Allowlist,
  lockfile: Lockfile,
  files: { allowlist: string; lockfile: string },
): void {
  const differences = compareToAllowlist(allowlist, lockfile);
  if (differences.length === 0) return;
  throw new CspError("CSP_LOCKFILE_OUTDATED", {
    message: `${files.lockfile} does not match ${files.allowlist}`,
    details: differences.map((difference) => difference.text),
    hint: "run `csp lock` and commit the result",
    data: { differences: differences.map(({ name, text }) => ({ name, text })) },
  });
}

/** Throws CSP_LOCKFILE_INTEGRITY naming every package whose bytes a lockfile does not pin. */
export function requireStrong(lockfile: Lockfile, file: string): void {
  const weak = [...lockfile.packages.values()].filter((pkg) => pkg.integrity.kind !== "strong");
  if (weak.length === 0) return;
  throw new CspError("CSP_LOCKFILE_INTEGRITY", {
    message: `${file} has no sha512 for ${weak.length === 1 ? "a package" : `${weak.length} packages`}`,
    details: weak.slice(0, 20).map((pkg) => {
      const { integrity } = pkg;
      const has = integrity.kind === "weak" ? integrity.algorithm : integrity.kind;
      return `${pkg.location}: integrity ${has}`;
    }),
    hint: "restore it from version control, or run `csp lock` to hash the bytes of the registry",
  });
}

/** Throws CSP_LOCKFILE_FOREIGN_TARBALL where a lockfile carries tarball addresses of its own, which csp never writes. */
export function requireOwnRegistry(lockfile: Lockfile, file: string): void {
  const foreign = [...lockfile.packages.values()].filter((pkg) => pkg.url !== "");
  if (foreign.length === 0) return;
  throw new CspError("CSP_LOCKFILE_FOREIGN_TARBALL", {
    message: `${file} says where to fetch packages from, which only the configuration may`,
    details: foreign
      .slice(0, 20)
      .map((pkg) => `${pkg.location}: ${pkg.url.replace(/\/\/[^/@]*@/, "//***@").slice(0, 120)}`),
    hint: "restore it from version control, or run `csp lock` to write it without addresses",
  });
}
