/** The set as a registry would tell it. Pure. */
import type { PackageSet, SetPackage } from "./set.ts";

/** Which of the set's other versions a registry shows: the base only, one version of `deep`, or all. */
export type View = { deep: string | undefined; all: boolean };

export const baseView: View = { deep: undefined, all: false };

/** Long ago, so that no peer holds a version back for its age. */
const published = "2020-01-01T00:00:00.000Z";

/** `/<name>/-/<base name>-<version>.tgz`. */
export function tarballPath(name: string, version: string): string {
  return `/${name}/-/${name.slice(name.lastIndexOf("/") + 1)}-${version}.tgz`;
}

/**
 * Packuments by name, as JSON text. The other versions of `leaf` are always there, because its dependents pin it; of
 * `deep` only the view's, because ranges mean it.
 */
export function packuments(set: PackageSet, view: View, origin: string): Map<string, string> {
  const shown = [...set.packages, ...set.others].filter((p) => {
    if (view.all || p.name !== set.deep.name) return true;
    return view.deep === undefined ? !set.others.includes(p) : p.version === view.deep;
  });
  return new Map(
    [...Map.groupBy(shown, (p) => p.name)].map(([name, versions]) => [name, packument(name, versions, origin)]),
  );
}

function packument(name: string, packages: readonly SetPackage[], origin: string): string {
  const sorted = packages.toSorted((a, b) => Bun.semver.order(a.version, b.version));
  return JSON.stringify({
    name,
    "dist-tags": { latest: sorted.at(-1)?.version },
    versions: Object.fromEntries(sorted.map((p) => [p.version, manifest(p, origin)])),
    modified: published,
    time: Object.fromEntries([
      ["created", published],
      ["modified", published],
      ...sorted.map((p) => [p.version, published]),
    ]),
  });
}

function manifest(p: SetPackage, origin: string): Record<string, unknown> {
  const { integrity, optionalPeers, binDir, ...kept } = p;
  // bun.lock writes a list of one as a string, and some peers read only lists.
  const limits = (["os", "cpu", "libc"] as const).flatMap((key) =>
    kept[key] === undefined ? [] : [[key, [kept[key]].flat()]],
  );
  return {
    ...kept,
    ...Object.fromEntries(limits),
    ...(optionalPeers && {
      peerDependenciesMeta: Object.fromEntries(optionalPeers.map((n) => [n, { optional: true }])),
    }),
    ...(binDir && { directories: { bin: binDir } }),
    dist: { tarball: origin + tarballPath(p.name, p.version), integrity },
  };
}
