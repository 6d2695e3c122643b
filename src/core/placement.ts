/**
 * Where packages find their dependencies: the links of each isolated instance, the places of a hoisted layout. Bundled
 * packages are neither linked nor placed: they come with their owner's files, and lie nearer than any link.
 */
import { CspError } from "./errors.ts";
import { label, type Node, type Selection } from "./graph.ts";
import { byteOrder, parentLocation } from "./location.ts";
import { lookUp } from "./walk-up.ts";

/** One symlink of an instance. */
export interface Link {
  /** Where it stands, relative to the instance's folder: `node_modules/<name>`. */
  path: string;
  /** The package whose instance it leads to. */
  to: Node;
  /** Path inside that package, with a slash in front, for a peer that it bundles; else "". */
  inner: string;
}

/** The links of every instance of a selection, in byte order of their paths. */
export function isolatedLinks(selection: Selection): Map<Node, Link[]> {
  const result = new Map<Node, Link[]>();
  for (const node of selection.nodes) {
    if (node.pkg.bundled) continue;
    const targets = new Map<string, Node>();
    let bundle = false;
    for (const { name, to } of node.edges) {
      if (isOwner(node, to)) bundle = true;
      else if (selection.nodes.has(to)) targets.set(name, to);
    }
    if (bundle) addOutside(targets, node, selection.placed);
    const links: Link[] = [];
    for (const [name, target] of targets) {
      const to = target.pkg.bundled ? selection.placed.get(parentLocation(target.pkg.location)) : target;
      if (to === undefined) continue;
      const inner = to === target ? "" : `/node_modules/${target.pkg.segments.at(-1)}`;
      links.push({ path: linkPath(node, name), to, inner });
    }
    result.set(node, links.length > 1 ? links.sort((a, b) => byteOrder(a.path, b.path)) : links);
  }
  return result;
}

/** True where the package comes with the owner's files. */
function isOwner(owner: Node, { pkg }: Node): boolean {
  return pkg.bundled && parentLocation(pkg.location) === owner.pkg.location;
}

/**
 * What a bundle may lack is looked for where a hoisted layout has it: above the owner, among what is installed anyway.
 * Which of the names the archive does hold is not known before it is unpacked.
 */
function addOutside(targets: Map<string, Node>, owner: Node, placed: ReadonlyMap<string, Node>): void {
  const around = new Map([...placed].filter(([, node]) => !node.pkg.bundled));
  const bundle = owner.edges.filter(({ to }) => isOwner(owner, to));
  for (const { name } of bundle.flatMap((edge) => [edge, ...edge.to.edges])) {
    const to = targets.has(name) ? undefined : lookUp(around, owner.pkg.location, name);
    if (to !== undefined && (to !== owner || name !== owner.pkg.name)) targets.set(name, to);
  }
}

/** Beside the package, but inside it for a dependency that has the package's own name. */
function linkPath(owner: Node, name: string): string {
  return name === owner.pkg.name ? `node_modules/${name}/node_modules/${name}` : `node_modules/${name}`;
}

/** A folder of a hoisted layout and the package whose files it gets. */
export interface Place {
  /** As a location's; the last is the name it is imported by. */
  segments: readonly string[];
  node: Node;
}

/** Far above any real layout; a lockfile made by hand may ask for packages within each other without end. */
const maxPlaces = 500_000;

/**
 * The places of a hoisted layout: every package's own location. A registry's copy stands in the folder of the one that
 * needs it, because the bundled package has its location, and so does what is not found from there. Throws CSP_LOCKFILE_INVALID.
 */
export function hoistedPlaces(selection: Selection): Place[] {
  const places = new Map<string, Place>();
  const known = new Map(selection.placed);
  for (const [location, node] of selection.placed) {
    if (!node.pkg.bundled) places.set(location, { segments: node.pkg.segments, node });
  }
  for (const [location, { segments, node }] of places) {
    for (const { name, to } of node.edges) {
      if (!selection.nodes.has(to) || to.pkg.bundled) continue;
      const found = lookUp(known, location, name);
      if (found !== undefined && !found.pkg.bundled && label(found) === label(to)) continue;
      if (places.size >= maxPlaces) throw endless(node);
      known.set(`${location}/${name}`, to);
      places.set(`${location}/${name}`, { segments: [...segments, name], node: to });
    }
  }
  return [...places.values()];
}

function endless(node: Node): CspError {
  return new CspError("CSP_LOCKFILE_INVALID", {
    message: `the lockfile asks for more than ${maxPlaces} places of packages`,
    details: [`among them \`${label(node)}\` within itself`],
    hint: "restore it from version control, or remove it and run `csp lock`",
  });
}
