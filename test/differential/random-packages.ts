/** Random registries: every kind of edge between a handful of packages in a few versions, cycles and bundles included. */
import fc from "fast-check";
import type { PackageSpec } from "../support/packages.ts";

/** What a registry holds and what the allowlist asks of it. */
export interface RandomRegistry {
  packages: PackageSpec[];
  dependencies: Record<string, string>;
  optionalDependencies: Record<string, string>;
}

const names = ["a", "b", "c", "d", "e", "f", "@s/a", "@s/b", "@t/a", "g"] as const;
const versions = ["1.0.0", "1.1.0", "2.0.0"] as const;
const aliases = ["x", "y", "@s/x"] as const;

const nameIn = fc.constantFrom(...names);
const range = fc.constantFrom("*", "^1.0.0", "1.0.0", "1.1.0", "2.0.0", ">=1.1.0");
const edge = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(nameIn, range) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom(...aliases), nameIn, range) },
);
type Edge = [name: string, range: string] | [alias: string, name: string, range: string];

const edges = (maxLength: number) => fc.array(edge, { maxLength }).map(toRecord);

function toRecord(list: readonly Edge[]): Record<string, string> {
  return Object.fromEntries(list.map((each) => [each[0], each.length === 2 ? each[1] : `npm:${each[1]}@${each[2]}`]));
}

interface Draft {
  dependencies: Record<string, string>;
  optionalDependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
  optionalPeers: boolean;
  /** How many of the dependencies the archive bundles. */
  bundles: number;
  /** Whether bundled packages bring what they need. */
  wholeBundle: boolean;
}

const draft: fc.Arbitrary<Draft> = fc.record({
  dependencies: edges(3),
  optionalDependencies: fc.oneof({ weight: 2, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: edges(2) }),
  peerDependencies: fc.oneof({ weight: 2, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: edges(2) }),
  optionalPeers: fc.boolean(),
  bundles: fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: 1, max: 2 }) }),
  wholeBundle: fc.boolean(),
});

/** Packages that do not fit a linux host; others need them as optional dependencies only. */
const otherPlatforms = ["mac", "@s/win"] as const;
/** Optional dependencies that the registry does not have. */
const missing = ["gone", "a@9"] as const;

/**
 * The roots are exact, as an allowlist's are. A registry has peers or bundles: where both meet, bun's own lockfile does
 * not say which of several copies of a package a peer means.
 */
export const randomRegistry: fc.Arbitrary<RandomRegistry> = fc
  .record({
    drafts: fc.array(draft, { minLength: names.length * versions.length, maxLength: names.length * versions.length }),
    natives: fc.array(fc.tuple(fc.nat(), fc.constantFrom(...otherPlatforms, ...missing)), { maxLength: 4 }),
    nativeNeeds: fc.array(edge, { maxLength: 2 }),
    roots: fc.uniqueArray(fc.tuple(fc.constantFrom(...names, ...aliases), nameIn, fc.constantFrom(...versions)), {
      minLength: 1,
      maxLength: 4,
      selector: ([key]) => key,
    }),
    optionalRoots: fc.nat({ max: 1 }),
    mode: fc.constantFrom("peers", "bundles"),
  })
  .map(({ mode, drafts, natives, nativeNeeds, roots, optionalRoots }) => {
    for (const [at, name] of natives) {
      const to = drafts[at % drafts.length] as Draft;
      const [key, spec] = name === "a@9" ? ["a", "^9.0.0"] : [name, "*"];
      to.optionalDependencies = { ...to.optionalDependencies, [key]: spec };
    }
    const packages = drafts.map((each, index) => {
      const name = names[Math.floor(index / versions.length)] as string;
      return toSpec(name, versions[index % versions.length] as string, {
        ...each,
        ...(mode === "bundles" ? { peerDependencies: {} } : { bundles: 0 }),
      });
    });
    for (const name of otherPlatforms) {
      const limits = name === "mac" ? { os: ["darwin"], cpu: ["arm64"] } : { os: ["win32"] };
      packages.push(simple(name, "1.0.0", { ...limits, dependencies: toRecord(nativeNeeds) }));
    }
    const specs = roots.map(([key, name, version]): [string, string] => {
      const isAlias = (aliases as readonly string[]).includes(key);
      return [key, isAlias ? `npm:${name}@${version}` : version];
    });
    return {
      packages,
      dependencies: Object.fromEntries(specs.slice(optionalRoots)),
      optionalDependencies: Object.fromEntries(specs.slice(0, optionalRoots)),
    };
  });

/** Archives bundle what they say they do: dependencies on one exact version. */
function toSpec(name: string, version: string, each: Draft): PackageSpec {
  const { optionalDependencies } = each;
  const dependencies = without(each.dependencies, [name, ...Object.keys(optionalDependencies)]);
  const plain = Object.entries(dependencies).filter(([, spec]) => !spec.startsWith("npm:"));
  const bundled = plain.slice(0, each.bundles).map(([key, spec]): [string, string] => {
    return [key, (versions as readonly string[]).includes(spec) ? spec : "1.1.0"];
  });
  Object.assign(dependencies, Object.fromEntries(bundled));
  const peerDependencies = without(each.peerDependencies, [name]);
  const optional = Object.keys(peerDependencies).filter((_, index) => each.optionalPeers || index > 0);
  const files: Record<string, string> = {};
  for (const [inner, innerVersion] of bundled) {
    const at = `node_modules/${inner}`;
    put(files, at, inner, innerVersion, each.wholeBundle ? { dependencies: { c: "*" } } : {});
    if (each.wholeBundle) put(files, `${at}/node_modules/c`, "c", "7.7.7", {});
  }
  const manifest = {
    dependencies,
    optionalDependencies,
    peerDependencies,
    peerDependenciesMeta: Object.fromEntries(optional.map((key) => [key, { optional: true }])),
    ...(bundled.length > 0 ? { bundleDependencies: bundled.map(([key]) => key) } : {}),
  };
  return { name, version, files: { ...files, ...simple(name, version, manifest).files } };
}

function simple(name: string, version: string, manifest: object): PackageSpec {
  const files: Record<string, string> = {};
  put(files, "", name, version, manifest);
  return { name, version, files };
}

function put(files: Record<string, string>, at: string, name: string, version: string, manifest: object): void {
  const prefix = at === "" ? "" : `${at}/`;
  files[`${prefix}package.json`] = JSON.stringify({ name, version, ...manifest });
  files[`${prefix}index.js`] = `module.exports = ${JSON.stringify(`${name}@${version}`)};\n`;
}

function without(record: Record<string, string>, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(record).filter(([key]) => !names.includes(key)));
}
