/**
 * What each dependency of a lockfile means, and what of it a platform gets.
 *
 * A bundled package lies in its owner's archive, with all that it needs, so its own edges are not followed. Others that
 * depend on it get the registry's copy of it; those whose peer it is share it with its owner.
 */
import { CspError } from "./errors.ts";
import { parentLocation } from "./location.ts";
import type { LockedPackage, Lockfile } from "./lockfile.ts";
import { fits, type Platform, platformName } from "./platform.ts";
import { createNameReader } from "./walk-up.ts";

export interface Edge {
  /** The name it is imported by. */
  name: string;
  to: Node;
  /** True where the dependent works without it. */
  optional: boolean;
}

export interface Node {
  pkg: LockedPackage;
  edges: Edge[];
}

export interface Graph {
  /** By location, in the lockfile's order. */
  nodes: ReadonlyMap<string, Node>;
  /** Registry's copies of bundled packages; their locations are the bundled ones'. */
  copies: ReadonlySet<Node>;
  /** What the allowlist names, in byte order of the names. */
  roots: readonly Edge[];
}

/** Builds the whole graph, all platforms. Throws CSP_LOCKFILE_INVALID where a required dependency leads nowhere. */
export function buildGraph(lockfile: Lockfile, file: string): Graph {
  const nodes = new Map<string, Node>();
  for (const [location, pkg] of lockfile.packages) nodes.set(location, { pkg, edges: [] });
  const read = createNameReader(lockfile.packages);
  const problems: string[] = [];
  const copyOf = new Map<Node, Node>();
  const todo = [...nodes.values()];
  /** A bundled package itself for its owner and its fellows, the registry's copy for everybody else. */
  const meant = (from: Node, to: Node): Node => {
    if (!to.pkg.bundled || from.pkg.bundled || parentLocation(to.pkg.location) === from.pkg.location) return to;
    const copy = copyOf.get(to) ?? { pkg: { ...to.pkg, bundled: false }, edges: [] };
    if (!copyOf.has(to)) todo.push(copy);
    copyOf.set(to, copy);
    return copy;
  };
  const connect = (node: Node, names: Readonly<Record<string, string>>, optional: boolean | "peer"): void => {
    const { pkg } = node;
    for (const name in names) {
      if (pkg.unresolved.includes(name)) continue;
      const found = nodes.get(read(pkg, name, optional === "peer")?.location ?? "");
      if (found === undefined) {
        if (optional === false && !pkg.bundled)
          problems.push(`\`${pkg.location}\` needs \`${name}\`, which is not there`);
        continue;
      }
      const to = found.pkg.location === pkg.location ? node : optional === "peer" ? found : meant(node, found);
      if (to === node && name === pkg.name) continue;
      node.edges.push({ name, to, optional: optional === "peer" ? pkg.optionalPeers.includes(name) : optional });
    }
  };
  // Copies that turn up on the way are appended and get their turn.
  for (const node of todo) {
    connect(node, node.pkg.dependencies, false);
    connect(node, node.pkg.optionalDependencies, true);
    connect(node, node.pkg.peerDependencies, "peer");
    if (node.edges.length > 1) node.edges = distinct(node.edges);
    if (node.pkg.bundled && !nodes.has(parentLocation(node.pkg.location)))
      problems.push(`\`${node.pkg.location}\` is bundled in nothing`);
  }
  const roots: Edge[] = [];
  const takeRoots = (names: Readonly<Record<string, string>>, optional: boolean): void => {
    for (const name in names) {
      const to = nodes.get(name);
      if (to !== undefined) roots.push({ name, to, optional });
      else if (!optional) problems.push(`the root names \`${name}\`, which is not there`);
    }
  };
  takeRoots(lockfile.dependencies, false);
  takeRoots(lockfile.optionalDependencies, true);
  if (problems.length > 0) {
    throw new CspError("CSP_LOCKFILE_INVALID", {
      message: `\`${file}\` is not complete`,
      details: problems.slice(0, 20),
      hint: "restore it from version control, or remove it and run `csp lock`",
    });
  }
  return { nodes, copies: new Set(copyOf.values()), roots: roots.sort(byName) };
}

/** One edge a name, in byte order. Of a name listed twice the first counts: dependency, then optional, then peer. */
function distinct(edges: Edge[]): Edge[] {
  edges.sort(byName);
  return edges.filter((edge, index) => edges[index - 1]?.name !== edge.name);
}

const byName = (a: Edge, b: Edge): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);

/** The part of a graph that a platform gets. */
export interface Selection {
  /** Reachable nodes, bundled ones and registry's copies included, but nothing that only bundled ones lead to. */
  nodes: ReadonlySet<Node>;
  /** Those of them that a hoisted layout has at their own location: all that is reachable without copies. */
  placed: ReadonlyMap<string, Node>;
  roots: readonly Edge[];
  /** Optional packages left out because they do not fit, in the order they were met. */
  skipped: readonly Node[];
}

/**
 * Walks from the roots along what fits the platform. An optional dependency that does not fit, or that requires one
 * that does not, is left out; a required one throws CSP_PLATFORM with the chain that brought it.
 */
export function selectForPlatform(graph: Graph, platform: Platform): Selection {
  const unfit = findUnfit(graph, platform);
  const nodes = new Set<Node>();
  const skipped = new Set<Node>();
  const via = new Map<Node, Node>();
  const placed = new Map<string, Node>();
  const queue: Node[] = [];
  const copies: Node[] = [];
  let placing = true;
  const visit = (edge: Edge, from: Node | undefined): boolean => {
    if (unfit.has(edge.to)) {
      if (!edge.optional) throw platformError(edge.to, from, via, platform);
      skipped.add(edge.to);
      return false;
    }
    if (!nodes.has(edge.to)) {
      nodes.add(edge.to);
      if (from !== undefined) via.set(edge.to, from);
      if (graph.copies.has(edge.to)) copies.push(edge.to);
      else {
        queue.push(edge.to);
        if (placing) placed.set(edge.to.pkg.location, edge.to);
      }
    }
    return true;
  };
  const roots = graph.roots.filter((edge) => visit(edge, undefined));
  while (queue.length + copies.length > 0) {
    placing &&= queue.length > 0;
    const node = (queue.pop() ?? copies.pop()) as Node;
    if (!node.pkg.bundled) for (const edge of node.edges) visit(edge, node);
  }
  for (const node of nodes) skipped.delete(node);
  return { nodes, placed, roots, skipped: [...skipped] };
}

/** Nodes that do not fit, and those that require one, to the end of every chain. */
function findUnfit(graph: Graph, platform: Platform): Set<Node> {
  const unfit = new Set<Node>();
  const all = [...graph.nodes.values(), ...graph.copies].filter((node) => !node.pkg.bundled);
  for (const node of all) if (!fits(node.pkg.limits, platform)) unfit.add(node);
  if (unfit.size === 0) return unfit;
  const dependents = new Map<Node, Node[]>();
  for (const node of all) {
    for (const edge of node.edges) {
      if (edge.optional) continue;
      const list = dependents.get(edge.to);
      if (list) list.push(node);
      else dependents.set(edge.to, [node]);
    }
  }
  const queue = [...unfit];
  for (let node = queue.pop(); node !== undefined; node = queue.pop()) {
    for (const dependent of dependents.get(node) ?? []) {
      if (unfit.has(dependent)) continue;
      unfit.add(dependent);
      queue.push(dependent);
    }
  }
  return unfit;
}

function platformError(node: Node, from: Node | undefined, via: ReadonlyMap<Node, Node>, platform: Platform): CspError {
  const chain: string[] = [];
  for (let at = from; at !== undefined; at = via.get(at)) chain.unshift(label(at));
  let blocker = node;
  const seen = new Set<Node>();
  while (fits(blocker.pkg.limits, platform) && !seen.has(blocker)) {
    seen.add(blocker);
    chain.push(label(blocker));
    blocker =
      blocker.edges.find((edge) => !edge.optional && !seen.has(edge.to) && mayBlock(edge.to, platform))?.to ?? blocker;
  }
  const { os, cpu, libc } = blocker.pkg.limits;
  const limits = [os, cpu, libc].filter((list) => list.length > 0).map((list) => list.join(" or "));
  const top = chain[0] ?? label(blocker);
  return new CspError("CSP_PLATFORM", {
    message: `\`${label(blocker)}\` does not run on ${platformName(platform)}`,
    details: [
      `it is for ${limits.join(", ")}`,
      ...(chain.length > 0 ? [`required by ${[...chain, label(blocker)].join(" > ")}`] : ["the allowlist names it"]),
    ],
    hint: `mark \`${top.slice(0, top.lastIndexOf("@"))}\` with \`optional: true\` in the allowlist to leave it out where it does not fit`,
    data: { package: blocker.pkg.name, version: blocker.pkg.version, os, cpu, libc },
  });
}

function mayBlock(node: Node, platform: Platform, seen = new Set<Node>()): boolean {
  if (!fits(node.pkg.limits, platform)) return true;
  seen.add(node);
  return node.edges.some((edge) => !edge.optional && !seen.has(edge.to) && mayBlock(edge.to, platform, seen));
}

/** `name@version`. */
export function label(node: Node): string {
  return `${node.pkg.name}@${node.pkg.version}`;
}

/** A shortest chain from a root to the node with this location, as nodes; empty where none leads there. */
export function shortestChain(graph: Graph, location: string): Node[] {
  const via = new Map<Node, Node | undefined>();
  let level: Node[] = [];
  for (const root of graph.roots) {
    if (via.has(root.to)) continue;
    via.set(root.to, undefined);
    level.push(root.to);
  }
  while (level.length > 0) {
    const next: Node[] = [];
    for (const node of level) {
      if (node.pkg.location === location) {
        const chain: Node[] = [];
        for (let at: Node | undefined = node; at !== undefined; at = via.get(at)) chain.unshift(at);
        return chain;
      }
      for (const edge of node.edges) {
        if (via.has(edge.to)) continue;
        via.set(edge.to, node);
        next.push(edge.to);
      }
    }
    level = next;
  }
  return [];
}

/** Distance of every reachable node from the allowlist: 1 for what it names itself. */
export function depths(graph: Graph): Map<Node, number> {
  const result = new Map<Node, number>();
  let level = graph.roots.map((edge) => edge.to);
  for (let depth = 1; level.length > 0; depth++) {
    const next: Node[] = [];
    for (const node of level) {
      if (result.has(node)) continue;
      result.set(node, depth);
      for (const edge of node.edges) next.push(edge.to);
    }
    level = next;
  }
  return result;
}
