/**
 * Renews the set: resolves the roots' newest versions, and rewrites set.json's pins and packages.jsonl. Results of the
 * old and the new set do not compare. The other versions of `leaf` and `deep` are chosen by hand in set.json. Uses the
 * machine's npm configuration.
 *
 *   $(sh bin/find-bun) bench/make-set.ts
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PackageSet, packagesFile, rootsFile, type SetPackage } from "./set.ts";

type Head = Pick<PackageSet, "roots" | "leaf" | "deep">;
type Tuple = [
  id: string,
  registry: string,
  info: Omit<SetPackage, "name" | "version" | "integrity">,
  integrity: string,
];

/** Resolves dependencies with bun: every locked package by its key in bun.lock, which for a root is its name. */
async function resolve(dependencies: Record<string, string>): Promise<Map<string, SetPackage>> {
  const dir = await mkdtemp(join(tmpdir(), "csp-bench-set-"));
  try {
    await Bun.write(join(dir, "package.json"), JSON.stringify({ name: "set", dependencies }));
    const bun = Bun.spawnSync([process.execPath, "install", "--lockfile-only"], { cwd: dir, stdout: "ignore" });
    if (!bun.success) throw new Error("bun did not resolve the set");
    const lock = Bun.JSONC.parse(await Bun.file(join(dir, "bun.lock")).text()) as { packages: Record<string, Tuple> };
    return new Map(Object.entries(lock.packages).map(([key, tuple]) => [key, fromTuple(tuple)]));
  } finally {
    await rm(dir, { recursive: true });
  }
}

function fromTuple([id, , info, integrity]: Tuple): SetPackage {
  const at = id.lastIndexOf("@");
  return { name: id.slice(0, at), version: id.slice(at + 1), integrity, ...info };
}

const head = (await Bun.file(rootsFile).json()) as Head;
const found = await resolve(Object.fromEntries(Object.keys(head.roots).map((name) => [name, "latest"])));
// One alias for each other version, so that one resolution finds them all.
const others = await resolve(
  Object.fromEntries(
    [head.leaf, head.deep].flatMap(({ name, versions }) =>
      versions.map((v, i) => [`${name}-${i}`, `npm:${name}@${v}`]),
    ),
  ),
);

const lines = new Map(
  [...found.values(), ...others.values()].map((p) => [`${p.name}@${p.version}`, JSON.stringify(p)]),
);
const roots = Object.fromEntries(Object.keys(head.roots).map((name) => [name, found.get(name)?.version ?? ""]));
await Bun.write(rootsFile, `${JSON.stringify({ ...head, roots }, null, 2)}\n`);
await Bun.write(
  packagesFile,
  `${[...lines.keys()]
    .sort()
    .map((id) => lines.get(id))
    .join("\n")}\n`,
);
console.log(
  `${Object.keys(roots).length} roots, ${new Set(found.values().map((p) => `${p.name}@${p.version}`)).size} packages`,
);
