/** A lockfile resolved by bun: checked, and completed with what bun does not say. Loaded where something must be resolved. */
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import type { Allowlist } from "../core/allowlist.ts";
import { CspError, isCspError } from "../core/errors.ts";
import { buildGraph, label, shortestChain } from "../core/graph.ts";
import { strongIntegrity } from "../core/integrity.ts";
import { forEachLimited } from "../core/limiter.ts";
import { splitLocation } from "../core/location.ts";
import { type ForeignPackage, type LockedPackage, type Lockfile, parseLockfile } from "../core/lockfile.ts";
import { rootsOf } from "../core/lockfile-match.ts";
import { relativeTarballPath } from "../core/tarball-path.ts";
import { removeTree } from "../fs/remove.ts";
import { resolve } from "../resolve/resolve.ts";
import type { Context } from "./context.ts";
import { fileNames, type ReadLockfile } from "./project.ts";
import { openRegistry, place, type Registry } from "./registry.ts";
import { explainFailures } from "./resolve-failure.ts";

/** No package is larger; a download of unknown length stops here. */
const largestBlob = 2 * 1024 ** 3;
/** Simultaneous requests for sizes. */
const sizeRequests = 64;

/** Resolves the allowlist's roots, keeping of the lockfile before whatever they allow. Every integrity is strong then. */
export async function resolveLockfile(
  ctx: Context,
  allowlist: Allowlist,
  before: ReadLockfile | undefined,
): Promise<Lockfile> {
  const roots = rootsOf(allowlist);
  const registry = openRegistry(ctx, allowlist);
  const resolved = await runResolver(ctx, allowlist, registry, before);
  refuseForeign(resolved);
  requireOptionalRoots(roots.optionalDependencies, resolved);
  const packages = new Map<string, LockedPackage>();
  const known = factsByPackage(before?.lockfile);
  for (const pkg of resolved.packages.values()) packages.set(pkg.location, adopt(pkg, known, registry));
  await complete(ctx, registry, [...packages.values()]);
  return { ...roots, linker: allowlist.linker, packages, foreign: [] };
}

async function runResolver(
  ctx: Context,
  allowlist: Allowlist,
  registry: Registry,
  before: ReadLockfile | undefined,
): Promise<Lockfile> {
  if (ctx.offline) {
    throw new CspError("CSP_OFFLINE", {
      message: "resolving needs the registry, and `--offline` forbids it",
      hint: "run `csp lock` where the registry can be reached and commit the lockfile",
    });
  }
  ctx.progress({ phase: "resolve", done: 0, total: 0, bytes: 0, totalBytes: 0 });
  const roots = rootsOf(allowlist);
  const scratch = mkdtempSync(join(ctx.temporary, "csp-resolve-"));
  try {
    const outcome = await resolve({
      roots,
      previous: before?.text,
      npm: registry.configuration.forResolver(registryNames(allowlist)),
      bun: ctx.bun,
      scratch,
      timeoutMs: ctx.resolveTimeoutMs,
      signal: ctx.signal,
      ...(allowlist.minimumReleaseAge === undefined ? {} : { minimumReleaseAgeMs: allowlist.minimumReleaseAge }),
    });
    if (outcome.kind === "failed") throw await explainFailures(ctx, registry, allowlist, outcome.failures);
    for (const remark of outcome.warnings) {
      const deprecated = remark.kind === "deprecated";
      ctx.warn({ code: deprecated ? "CSP_WARN_DEPRECATED" : "CSP_WARN_RESOLVER", message: remark.text });
    }
    return parseLockfile(outcome.lock, fileNames(ctx).lockfile, "bun");
  } finally {
    removeTree(scratch);
  }
}

/** The registry's names of what the allowlist asks for. */
function registryNames(allowlist: Allowlist): string[] {
  return [...allowlist.packages.values()].filter((entry) => entry.enabled).map((entry) => entry.name);
}

/** Bun drops an optional package that it cannot find without a word; an allowlist that names one means it. */
function requireOptionalRoots(names: Readonly<Record<string, string>>, lockfile: Lockfile): void {
  const missing = Object.entries(names).filter(
    ([name]) => !lockfile.packages.has(name) && !lockfile.foreign.some((each) => each.location === name),
  );
  if (missing.length === 0) return;
  throw new CspError("CSP_RESOLVE_FAILED", {
    message: `the registry has no such version of ${missing.map(([name, spec]) => `\`${name}@${spec}\``).join(", ")}`,
    details: ["the allowlist names it as optional; that lets hosts do without it, not the lockfile"],
    hint: `run \`csp add ${missing[0]?.[0]}\` for its newest version`,
  });
}

/** Refuses what does not come from a registry, with the chain that brought it. */
function refuseForeign(lockfile: Lockfile): void {
  if (lockfile.foreign.length === 0) return;
  throw new CspError("CSP_SOURCE_REFUSED", {
    message: "packages may come from a registry only",
    details: lockfile.foreign.map((each) => `${chainTo(lockfile, each)} > ${each.location}: ${each.source}`),
    hint: "allow versions of those packages that depend on published packages only",
    data: { packages: lockfile.foreign.map(({ location, source }) => ({ location, source })) },
  });
}

/** Who brought a foreign package: a stand-in takes its place in the graph, for the walk. */
function chainTo(lockfile: Lockfile, foreign: ForeignPackage): string {
  const model = [...lockfile.packages.values()][0];
  if (model === undefined) return "the allowlist";
  const packages = new Map(lockfile.packages);
  for (const each of lockfile.foreign) {
    const segments = splitLocation(each.location) ?? [each.location];
    packages.set(each.location, {
      ...model,
      location: each.location,
      segments,
      name: segments.at(-1) ?? "",
      version: each.source,
      dependencies: {},
      optionalDependencies: {},
      peerDependencies: {},
      bundled: false,
    });
  }
  const chain = shortestChain(buildGraph({ ...lockfile, packages }, "the resolution"), foreign.location).slice(0, -1);
  return chain.length === 0 ? "the allowlist" : chain.map(label).join(" > ");
}

type Facts = Pick<LockedPackage, "integrity" | "size" | "published" | "tarball">;

function factsByPackage(lockfile: Lockfile | undefined): Map<string, Facts> {
  const facts = new Map<string, Facts>();
  for (const pkg of lockfile?.packages.values() ?? []) facts.set(`${pkg.name}@${pkg.version}`, pkg);
  return facts;
}

/** Takes over a package from the resolver: known facts are kept, its address becomes a path. */
function adopt(pkg: LockedPackage, known: ReadonlyMap<string, Facts>, registry: Registry): LockedPackage {
  const id = `${pkg.name}@${pkg.version}`;
  const before = known.get(id);
  const result: LockedPackage = { ...pkg, url: "" };
  if (before?.integrity.kind === "strong") {
    if (pkg.integrity.kind === "strong" && pkg.integrity.digest !== before.integrity.digest)
      throw changedBytes(id, before, pkg);
    result.integrity = before.integrity;
    if (before.size !== undefined) result.size = before.size;
    if (before.published !== undefined) result.published = before.published;
    if (before.tarball !== undefined) result.tarball = before.tarball;
  } else if (pkg.url !== "") {
    const place = relativeTarballPath(registry.configuration.registryFor(pkg.name).url, pkg.url, pkg.name, pkg.version);
    if (place.path !== undefined) result.tarball = place.path;
  }
  return result;
}

function changedBytes(id: string, before: Facts, now: LockedPackage): CspError {
  const hex = (facts: Facts): string => (facts.integrity.kind === "strong" ? facts.integrity.digest.slice(0, 32) : "?");
  return new CspError("CSP_INTEGRITY", {
    message: `the registry now has other bytes for \`${id}\` than the lockfile pinned`,
    details: [`sha512 locked    ${hex(before)}…`, `sha512 registry  ${hex(now)}…`],
    hint: "a published version never changes: find out who replaced it before you trust either",
    data: { package: now.name, version: now.version },
  });
}

/** Asks for the sizes that are not known, and hashes what the registry gave no strong hash for. */
async function complete(ctx: Context, registry: Registry, packages: readonly LockedPackage[]): Promise<void> {
  const groups = new Map<string, LockedPackage[]>();
  for (const pkg of packages) {
    if (pkg.integrity.kind === "strong" && (pkg.size !== undefined || pkg.bundled)) continue;
    const id = `${pkg.name}@${pkg.version}`;
    groups.set(id, [...(groups.get(id) ?? []), pkg]);
  }
  const todo = [...groups.values()];
  let done = 0;
  await forEachLimited(todo, sizeRequests, async (group) => {
    const pkg = group[0] as LockedPackage;
    if (pkg.integrity.kind === "strong") {
      const size = await sizeOf(registry, pkg);
      if (size !== undefined) for (const each of group) each.size = size;
    } else {
      const bytes = await registry.client.tarballBytes(place(pkg), { maxBytes: largestBlob });
      const integrity = hashAnew(pkg, bytes);
      for (const each of group) Object.assign(each, { integrity, size: bytes.length });
    }
    ctx.progress({ phase: "measure", done: ++done, total: todo.length, bytes: 0, totalBytes: 0 });
  });
}

/** A registry that knows no sizes, or lacks the bytes for another platform, is no reason not to lock. */
async function sizeOf(registry: Registry, pkg: LockedPackage): Promise<number | undefined> {
  try {
    return await registry.client.tarballSize(place(pkg));
  } catch (error) {
    if (isCspError(error, "CSP_REGISTRY_NOT_FOUND") || isCspError(error, "CSP_REGISTRY_ANSWER")) return undefined;
    throw error;
  }
}

/** The strong integrity of bytes that match a weak one, or that came without any. */
function hashAnew(pkg: LockedPackage, bytes: Uint8Array): LockedPackage["integrity"] {
  const { integrity } = pkg;
  if (integrity.kind === "malformed") {
    throw new CspError("CSP_LOCKFILE_INTEGRITY", {
      message: `the registry names a malformed integrity for \`${pkg.name}@${pkg.version}\``,
      hint: "ask the registry's operators to repair that package, or allow another version",
    });
  }
  if (integrity.kind === "weak") {
    const algorithm = integrity.algorithm as "sha1" | "md5" | "sha256" | "sha384";
    const found = new Bun.CryptoHasher(algorithm).update(bytes).digest("hex");
    if (found !== integrity.hex) {
      throw new CspError("CSP_INTEGRITY", {
        message: `the received bytes of \`${pkg.name}@${pkg.version}\` are not those the registry promised`,
        details: [`${algorithm} promised ${integrity.hex}`, `${algorithm} received ${found}`],
        hint: "run the command again; if it stays, the registry or something on the way alters packages",
      });
    }
  }
  return strongIntegrity(new Bun.CryptoHasher("sha512").update(bytes).digest("hex"));
}
