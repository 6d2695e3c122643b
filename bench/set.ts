/** The packages that every peer installs: exact, with integrity, so results of different days and machines compare. */
import { join } from "node:path";

/** What a registry's packument would say of one version, in bun.lock's words. */
export interface SetPackage {
  name: string;
  version: string;
  /** `sha512-<base64>` of the tarball. */
  integrity: string;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  optionalPeers?: string[];
  bin?: string | Record<string, string>;
  binDir?: string;
  os?: string | string[];
  cpu?: string | string[];
  libc?: string | string[];
  hasInstallScript?: boolean;
}

/** One package with other versions of itself, the only difference between two variants of the set. */
export interface Varied {
  name: string;
  /** None of them is the set's own version. */
  versions: string[];
}

/** A varied package below the roots. */
export interface VariedBelow extends Varied {
  /** A way to it from the roots: a root, its dependency, and so on. */
  via: string[];
}

export interface PackageSet {
  /** Allowlisted names with their exact versions. */
  roots: Record<string, string>;
  /** A root that nothing depends on. */
  leaf: Varied;
  /** A package without dependencies, far below the roots and above nothing. */
  deep: VariedBelow;
  /** Every package of the base set, all platforms. */
  packages: SetPackage[];
  /** The other versions that `leaf` and `deep` name. */
  others: SetPackage[];
}

/** Names a variant of the set: the base, or one package at the n-th of its other versions. */
export type Variant = { kind: "base" } | { kind: "leaf" | "deep"; n: number };

export const base: Variant = { kind: "base" };

const here = import.meta.dir;
export const rootsFile = join(here, "set.json");
export const packagesFile = join(here, "packages.jsonl");

/** Reads the checked-in set. */
export async function readSet(): Promise<PackageSet> {
  const head = (await Bun.file(rootsFile).json()) as Pick<PackageSet, "roots" | "leaf" | "deep">;
  const all = Bun.JSONL.parse(await Bun.file(packagesFile).text()) as SetPackage[];
  const isOther = (p: SetPackage) =>
    [head.leaf, head.deep].some((varied) => varied.name === p.name && varied.versions.includes(p.version));
  return { ...head, packages: all.filter((p) => !isOther(p)), others: all.filter(isOther) };
}

/** The direct dependencies of a variant. */
export function rootsOf(set: PackageSet, variant: Variant): Record<string, string> {
  return variant.kind === "leaf" ? { ...set.roots, [set.leaf.name]: otherVersion(set, variant) } : set.roots;
}

/** The version that a variant gives its one package. */
export function otherVersion(set: PackageSet, variant: { kind: "leaf" | "deep"; n: number }): string {
  const version = set[variant.kind].versions[variant.n];
  if (version === undefined) throw new Error(`the set has no ${variant.kind} variant ${variant.n}`);
  return version;
}

/** A file-name-safe label: `base`, `leaf-3`, `deep-0`. */
export function variantName(variant: Variant): string {
  return variant.kind === "base" ? "base" : `${variant.kind}-${variant.n}`;
}
