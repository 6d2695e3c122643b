/**
 * Where an isolated package finds its dependencies: the links of each instance. Bundled packages lie in their owner's
 * tarball and are no instances; what they depend on outside of it is linked for them beside the owner.
 */
import type { Node, Selection } from "./graph.ts";
import { locationPath, parentLocation } from "./location.ts";

/** One symlink of an instance. */
export interface Link {
  /** Where it stands, relative to the instance's folder: `node_modules/<name>`. */
  path: string;
  /** The package whose instance it leads to. */
  to: Node;
  /** Path inside that package for a bundled target, else "". */
  inner: string;
}

/** The links of every instance of a selection, in byte order of their paths. */
export function isolatedLinks(selection: Selection): Map<Node, Link[]> {
  const byLocation = new Map<string, Node>();
  const bundled: Node[] = [];
  for (const node of selection.nodes) {
    byLocation.set(node.pkg.location, node);
    if (node.pkg.bundled) bundled.push(node);
  }
  const ownerOf = (node: Node): Node => {
    let at = node;
    while (at.pkg.bundled) at = byLocation.get(parentLocation(at.pkg.location)) ?? missingOwner(at);
    return at;
  };
  const links = new Map<Node, Map<string, Link>>();
  for (const node of selection.nodes) if (!node.pkg.bundled) links.set(node, new Map());
  for (const node of selection.nodes) {
    const owner = node.pkg.bundled ? ownerOf(node) : node;
    for (const edge of node.edges) {
      const { to } = edge;
      if (!selection.nodes.has(to)) continue;
      const toOwner = to.pkg.bundled ? ownerOf(to) : to;
      if (to.pkg.bundled && toOwner === owner) continue;
      const path = linkPath(owner, to, edge.name);
      const inner = to === toOwner ? "" : locationPath(to.pkg.segments.slice(toOwner.pkg.segments.length));
      links.get(owner)?.set(path, { path, to: toOwner, inner });
    }
  }
  const result = new Map<Node, Link[]>();
  for (const [node, byPath] of links) {
    const list = [...byPath.values()];
    result.set(node, list.length > 1 ? list.sort((a, b) => (a.path < b.path ? -1 : 1)) : list);
  }
  return result;
}

/**
 * Beside the package, but inside it for what stands deeper in its own folder and for a dependency that has its own name.
 */
function linkPath(owner: Node, to: Node, name: string): string {
  const own = `node_modules/${owner.pkg.name}`;
  const depth = owner.pkg.segments.length;
  if (to.pkg.segments.length > depth + 1 && to.pkg.location.startsWith(`${owner.pkg.location}/`)) {
    return `${own}/${locationPath(to.pkg.segments.slice(depth))}`;
  }
  return name === owner.pkg.name ? `${own}/node_modules/${name}` : `node_modules/${name}`;
}

function missingOwner(node: Node): never {
  throw new Error(`the owner of bundled ${node.pkg.location} is not selected`);
}
