/**
 * Where an isolated package finds its dependencies: the links of each instance. Bundled packages lie in their owner's
 * tarball and are no instances; what the tarball holds comes before any link, because it lies nearer.
 */
import { lookUp, type Node, type Selection } from "./graph.ts";
import { byteOrder, locationPath, parentLocation } from "./location.ts";

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
  for (const node of selection.nodes) byLocation.set(node.pkg.location, node);
  const ownerOf = (node: Node): Node => {
    let at = node;
    while (at.pkg.bundled) at = byLocation.get(parentLocation(at.pkg.location)) ?? missingOwner(at);
    return at;
  };
  const bundles = new Map<Node, Node[]>();
  for (const node of selection.nodes) {
    if (!node.pkg.bundled) continue;
    const owner = ownerOf(node);
    bundles.set(owner, [...(bundles.get(owner) ?? []), node]);
  }
  const result = new Map<Node, Link[]>();
  for (const node of selection.nodes) {
    if (node.pkg.bundled) continue;
    const targets = new Map<string, Node>();
    const bundle = bundles.get(node);
    for (const { name, to } of node.edges) {
      if (selection.nodes.has(to) && !bundle?.includes(to)) targets.set(name, to);
    }
    if (bundle !== undefined) addOutside(targets, node, bundle, byLocation);
    const links: Link[] = [];
    for (const [name, target] of targets) {
      const to = ownerOf(target);
      const inner = to === target ? "" : locationPath(target.pkg.segments.slice(to.pkg.segments.length));
      links.push({ path: linkPath(node, name), to, inner });
    }
    result.set(node, links.length > 1 ? links.sort((a, b) => byteOrder(a.path, b.path)) : links);
  }
  return result;
}

/**
 * What a bundle may lack is looked for where a hoisted layout has it: above the owner, among what is installed anyway.
 * Which of the names the tarball does hold is not known before it is unpacked.
 */
function addOutside(
  targets: Map<string, Node>,
  owner: Node,
  bundle: readonly Node[],
  byLocation: ReadonlyMap<string, Node>,
): void {
  const around = new Map(byLocation);
  for (const { pkg } of bundle) around.delete(pkg.location);
  const names = bundle.flatMap(({ pkg, edges }) => [pkg.segments.at(-1) as string, ...edges.map((edge) => edge.name)]);
  for (const name of names) {
    const to = targets.has(name) ? undefined : lookUp(around, owner.pkg.location, name);
    if (to !== undefined && (to !== owner || name !== owner.pkg.name)) targets.set(name, to);
  }
}

/** Beside the package, but inside it for a dependency that has the package's own name. */
function linkPath(owner: Node, name: string): string {
  return name === owner.pkg.name ? `node_modules/${name}/node_modules/${name}` : `node_modules/${name}`;
}

function missingOwner(node: Node): never {
  throw new Error(`the owner of bundled ${node.pkg.location} is not selected`);
}
