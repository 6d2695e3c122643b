/**
 * Who asked for a package that cannot be resolved. Bun does not say, so the way there is walked again, through the
 * manifests that the registry serves.
 */
import { sourceKind } from "../core/package-spec.ts";
import { aliasTarget, listRoots, type ResolveFailure, type Roots } from "./outcome.ts";

/** The part of a registry's answer that the walk reads. It is foreign: anything may be missing or of another type. */
export interface WalkManifest {
  versions: Readonly<Record<string, WalkVersion>>;
  tags?: Readonly<Record<string, string>> | undefined;
}

export interface WalkVersion {
  dependencies?: unknown;
  optionalDependencies?: unknown;
  peerDependencies?: unknown;
}

/** Fetches one manifest; undefined or a rejection ends that branch of the walk. */
export type FetchManifest = (name: string, signal: AbortSignal) => Promise<WalkManifest | undefined>;

/**
 * The chains that lead to a failure, each from an allowlisted `key@version` over parents to `name@spec`.
 * Empty where none was found within the limits.
 */
export type Chains = (name: string, spec?: string) => readonly (readonly string[])[];

export interface WalkLimits {
  manifests: number;
  milliseconds: number;
  concurrency: number;
}

const usualLimits: WalkLimits = { manifests: 500, milliseconds: 5000, concurrency: 16 };

interface Node {
  name: string;
  spec: string;
  /** What the parents' chain calls it: the key of a root or the name of a dependency. */
  key: string;
  parents: readonly string[];
}

/**
 * Walks breadth first from the roots until a shortest chain to every failure is known, the graph ends or a limit is
 * reached. Each step takes the newest version that the range admits, as a resolution without lockfile does.
 */
export async function findParents(
  failures: readonly Pick<ResolveFailure, "name" | "spec">[],
  fetchManifest: FetchManifest,
  roots: Roots,
  limits: WalkLimits = usualLimits,
): Promise<Chains> {
  const semver = (await import("semver")).default;
  const open = new Set(failures.flatMap(({ name, spec }) => (name === undefined ? [] : [pairOf(name, spec)])));
  const found = new Map<string, string[]>();
  /** Keeps the chain where the node is one that was looked for. */
  const arrive = (node: Node) => {
    for (const pair of [pairOf(node.name, node.spec), pairOf(node.name, undefined)]) {
      if (open.delete(pair)) found.set(pair, [...node.parents, `${node.key}@${node.spec}`]);
    }
  };
  const manifests = manifestReader(fetchManifest, limits);
  const visited = new Set<string>();
  try {
    let level: Node[] = listRoots(roots).map(({ key, name, spec }) => ({ key, name, spec, parents: [] }));
    level.forEach(arrive);
    while (level.length > 0 && open.size > 0) {
      const read = await manifests.readAll(level.map((node) => node.name));
      const next: Node[] = [];
      for (const node of level) {
        if (manifests.expired()) break;
        const manifest = read.get(node.name);
        const version = manifest && pickVersion(semver, manifest, node.spec);
        if (!manifest || version === undefined || visited.has(`${node.name}@${version}`)) continue;
        visited.add(`${node.name}@${version}`);
        const parents = [...node.parents, `${node.key}@${version}`];
        for (const [key, text] of dependenciesOf(manifest.versions[version])) {
          next.push({ key, parents, ...aliasTarget(key, text) });
        }
      }
      next.forEach(arrive);
      // What comes from elsewhere has a name that the registry must not be asked for: it may be somebody else's there.
      level = next.filter((node) => sourceKind(node.spec) === undefined);
    }
  } finally {
    manifests.stop();
  }
  return (name, spec) => {
    const chain = found.get(pairOf(name, spec)) ?? found.get(pairOf(name, undefined));
    return chain ? [chain] : [];
  };
}

function pairOf(name: string, spec: string | undefined): string {
  return JSON.stringify([name, spec]);
}

/** Reads each manifest once, as many at a time as allowed, until the count or the time is used up. */
function manifestReader(fetchManifest: FetchManifest, limits: WalkLimits) {
  const seen = new Map<string, WalkManifest | undefined>();
  const control = new AbortController();
  const deadline = performance.now() + 2 * limits.milliseconds;
  const timer = setTimeout(() => control.abort(), limits.milliseconds);
  const expired = new Promise<undefined>((settle) => {
    control.signal.addEventListener("abort", () => settle(undefined), { once: true });
  });
  async function work(queue: string[]): Promise<void> {
    for (let name = queue.shift(); name !== undefined && !control.signal.aborted; name = queue.shift()) {
      const manifest = fetchManifest(name, control.signal).catch(() => undefined);
      seen.set(name, await Promise.race([manifest, expired]));
    }
  }
  return {
    async readAll(names: readonly string[]): Promise<ReadonlyMap<string, WalkManifest | undefined>> {
      const queue = [...new Set(names)].filter((name) => !seen.has(name)).slice(0, limits.manifests - seen.size);
      await Promise.all(Array.from({ length: limits.concurrency }, () => work(queue)));
      return seen;
    },
    /** For the steps of mere computing, since a manifest may list any number of versions: as long again as reading. */
    expired: () => performance.now() > deadline,
    stop(): void {
      clearTimeout(timer);
      control.abort();
    },
  };
}

type Semver = typeof import("semver");

function pickVersion(semver: Semver, manifest: WalkManifest, spec: string): string | undefined {
  const versions = Object.keys(manifest.versions ?? {});
  const tagged = manifest.tags && Object.hasOwn(manifest.tags, spec) ? manifest.tags[spec] : undefined;
  const version = tagged ?? semver.maxSatisfying(versions, spec, { loose: true }) ?? undefined;
  return version !== undefined && Object.hasOwn(manifest.versions, version) ? version : undefined;
}

/** Everything that is resolved for a package, sorted by name; optional peers are not. */
function dependenciesOf(version: WalkVersion | undefined): [string, string][] {
  const meta = record((version as { peerDependenciesMeta?: unknown } | undefined)?.peerDependenciesMeta);
  const peers = Object.entries(record(version?.peerDependencies)).filter(
    ([name]) => (meta[name] as { optional?: unknown } | undefined)?.optional !== true,
  );
  const all = new Map([
    ...peers,
    ...Object.entries(record(version?.dependencies)),
    ...Object.entries(record(version?.optionalDependencies)),
  ]);
  return [...all]
    .filter((entry): entry is [string, string] => typeof entry[1] === "string")
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
