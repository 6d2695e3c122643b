/** The blobs that a release needs: of the declared platforms, or of every platform there is. */
import { type Graph, type Node, selectForPlatform } from "./graph.ts";
import type { Digest } from "./integrity.ts";
import { byteOrder } from "./location.ts";
import type { Platform } from "./platform.ts";

/** One blob and a package that it is. */
export interface NeededBlob {
  digest: Digest;
  name: string;
  version: string;
  /** Bytes, where the lockfile knows. */
  size: number | undefined;
  /** The tarball's path at the registry, where it cannot be derived. */
  tarball: string | undefined;
}

/**
 * In byte order of the digests, each once. Without `platforms` all that any platform could get. Throws CSP_PLATFORM where
 * a required package does not fit a declared platform.
 */
export function neededBlobs(graph: Graph, platforms: readonly Platform[] | undefined): NeededBlob[] {
  const blobs = new Map<Digest, NeededBlob>();
  const selections = platforms?.map((platform) => selectForPlatform(graph, platform).nodes) ?? [everywhere(graph)];
  for (const nodes of selections) {
    for (const { pkg } of nodes) {
      if (pkg.bundled) continue;
      if (pkg.integrity.kind !== "strong") throw new Error(`no strong integrity for ${pkg.location}`);
      const { name, version, size, tarball } = pkg;
      const { digest } = pkg.integrity;
      if (!blobs.has(digest)) blobs.set(digest, { digest, name, version, size, tarball });
    }
  }
  return [...blobs.values()].sort((a, b) => byteOrder(a.digest, b.digest));
}

/** All that some platform might get; what bun marked with `none` fits none. */
function everywhere(graph: Graph): Set<Node> {
  const nodes = new Set<Node>();
  const queue: Node[] = [];
  const visit = (node: Node): void => {
    const { os, cpu, libc } = node.pkg.limits;
    if (nodes.has(node) || [os, cpu, libc].some((list) => list.length === 1 && list[0] === "none")) return;
    nodes.add(node);
    if (!node.pkg.bundled) queue.push(node);
  };
  for (const { to } of graph.roots) visit(to);
  for (let node = queue.pop(); node !== undefined; node = queue.pop()) for (const { to } of node.edges) visit(to);
  return nodes;
}
