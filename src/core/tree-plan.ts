/**
 * A tree as data: which instances it needs, which links lead where. Pure, so that planning, building and verifying read
 * the same picture. Paths use `/`; relative ones say from where.
 */
import { bareId, type InstanceId, isolatedIds } from "./closure.ts";
import { type Graph, label, type Node, type Selection, selectForPlatform } from "./graph.ts";
import type { Digest } from "./integrity.ts";
import { byteOrder, locationPath } from "./location.ts";
import type { Linker, Lockfile } from "./lockfile.ts";
import { type LockfileHash, lockfileHash } from "./lockfile-hash.ts";
import { hoistedPlaces, isolatedLinks } from "./placement.ts";
import type { Platform, PlatformLimits } from "./platform.ts";

/** A symlink: where it stands, relative to the folder it is listed under, and its relative target. */
export interface LinkPlan {
  path: string;
  target: string;
}

export interface InstancePlan {
  id: InstanceId;
  name: string;
  version: string;
  digest: Digest;
  /** Bytes of the blob, where the lockfile knows. */
  size: number | undefined;
  /** The tarball's path at the registry, where it cannot be derived. */
  tarball: string | undefined;
  /** Under `packages/v1/<id>/`. */
  links: readonly LinkPlan[];
  /** Command name to path of every binary, so that its file can be run. */
  bin: Readonly<Record<string, string>>;
}

/** One importable name and the instance that answers. */
export interface RootPlan {
  name: string;
  /** The registry's name; differs from `name` for an alias. */
  package: string;
  version: string;
  id: InstanceId;
}

/** A binary in `node_modules/.bin`: a path inside a root package. */
export interface BinPlan {
  name: string;
  /** The root's name under node_modules. */
  root: string;
  path: string;
}

export interface SkippedPackage {
  name: string;
  version: string;
  limits: PlatformLimits;
}

export interface TreePlan {
  hash: LockfileHash;
  linker: Linker;
  platform: Platform;
  /** In byte order of the ids. */
  instances: readonly InstancePlan[];
  /** What scripts may import: name to the package that answers, in byte order. */
  roots: readonly RootPlan[];
  /** Symlinks under `trees/<hash>/`; all of an isolated tree, none of a hoisted one but binaries. */
  links: readonly LinkPlan[];
  /** Hoisted only: folders under `trees/<hash>/` and the bare instance whose files they get. */
  copies: readonly { path: string; id: InstanceId; name: string }[];
  bins: readonly BinPlan[];
  /** Roots whose binaries are a folder (`directories.bin`), to be read once unpacked. */
  binFolders: readonly { root: string; path: string }[];
  skipped: readonly SkippedPackage[];
  /** `name@version` of packages with install scripts, which never run. */
  installScripts: readonly string[];
}

/** Plans the tree of a lockfile for one platform. Throws CSP_PLATFORM where a required package does not fit. */
export function planTree(lockfile: Lockfile, graph: Graph, platform: Platform): TreePlan {
  const selection = selectForPlatform(graph, platform);
  const { idOf, ...parts } = lockfile.linker === "isolated" ? isolated(selection) : hoisted(selection);
  return {
    hash: lockfileHash(lockfile),
    linker: lockfile.linker,
    platform,
    ...parts,
    roots: selection.roots.map(({ name, to }) => ({
      name,
      package: to.pkg.name,
      version: to.pkg.version,
      id: idOf(to),
    })),
    bins: rootBins(selection),
    binFolders: selection.roots.flatMap(({ name, to }) =>
      to.pkg.binDir === undefined ? [] : [{ root: name, path: to.pkg.binDir }],
    ),
    skipped: selection.skipped.map(({ pkg: { name, version, limits } }) => ({ name, version, limits })),
    installScripts: [
      ...new Set([...selection.nodes].filter((n) => n.pkg.hasInstallScript && !n.pkg.bundled).map(label)),
    ].sort(),
  };
}

type Layout = Pick<TreePlan, "instances" | "links" | "copies"> & { idOf: (node: Node) => InstanceId };

function isolated(selection: Selection): Layout {
  const links = isolatedLinks(selection);
  const ids = isolatedIds(links);
  const idOf = (node: Node): InstanceId => ids.get(node) as InstanceId;
  const folderOf = (node: Node): string => `${idOf(node)}/node_modules/${node.pkg.name}`;
  const instances = new Map<InstanceId, InstancePlan>();
  for (const [node, own] of links) {
    const id = idOf(node);
    if (instances.has(id)) continue;
    const plans = own.map(({ path, to, inner }) => ({ path, target: `${up(path)}${folderOf(to)}${inner}` }));
    instances.set(id, instancePlan(id, node, plans));
  }
  const roots = selection.roots.map(({ name, to }) => {
    const path = `node_modules/${name}`;
    return { path, target: `../${up(path)}packages/v1/${folderOf(to)}` };
  });
  return { instances: sorted(instances), links: roots, copies: [], idOf };
}

function hoisted(selection: Selection): Layout {
  const instances = new Map<InstanceId, InstancePlan>();
  const copies: { path: string; id: InstanceId; name: string }[] = [];
  for (const { segments, node } of hoistedPlaces(selection)) {
    const id = bareId(node);
    if (!instances.has(id)) instances.set(id, instancePlan(id, node, []));
    copies.push({ path: locationPath(segments), id, name: node.pkg.name });
  }
  return {
    instances: sorted(instances),
    links: [],
    copies: copies.sort((a, b) => byteOrder(a.path, b.path)),
    idOf: bareId,
  };
}

function instancePlan(id: InstanceId, { pkg }: Node, links: readonly LinkPlan[]): InstancePlan {
  if (pkg.integrity.kind !== "strong") throw new Error(`no strong integrity for ${pkg.location}`);
  const { name, version, integrity, size, tarball, bin } = pkg;
  return {
    id,
    name,
    version,
    // Decoded only for what is missing.
    get digest() {
      return integrity.digest;
    },
    size,
    tarball,
    links,
    bin,
  };
}

/** As many `../` as lead from a link to the folder that holds the listed folder. */
function up(path: string): string {
  return "../".repeat(path.split("/").length);
}

function sorted(instances: ReadonlyMap<InstanceId, InstancePlan>): InstancePlan[] {
  return [...instances.values()].sort((a, b) => byteOrder(a.id, b.id));
}

/** Binaries of the roots; where two share a name the first root in byte order has it. */
function rootBins(selection: Selection): BinPlan[] {
  const bins = new Map<string, BinPlan>();
  for (const { name: root, to } of selection.roots) {
    for (const key of Object.keys(to.pkg.bin).sort(byteOrder)) {
      const name = key.slice(key.lastIndexOf("/") + 1);
      if (!bins.has(name)) bins.set(name, { name, root, path: to.pkg.bin[key] as string });
    }
  }
  return [...bins.values()];
}
