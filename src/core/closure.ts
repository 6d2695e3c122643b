/**
 * Instance ids: one name for "this package with exactly these dependencies". Equal closures get equal ids in every tree
 * of every host; packages in a cycle are hashed as one component.
 */
import type { Node } from "./graph.ts";
import { byteOrder } from "./location.ts";
import type { Link } from "./placement.ts";

/** Format of the packages folder; a part of every id's hash. */
const closureFormat = "csp-closure-1";

/** `<name with / as +>@<version>-<32 hex>`. */
export type InstanceId = string;

type Links = ReadonlyMap<Node, readonly Link[]>;

/** Ids of isolated instances: each covers the digest and what every link leads to. */
export function isolatedIds(links: Links): Map<Node, InstanceId> {
  const hashes = new Map<Node, string>();
  for (const component of components(links)) hashComponent(component, links, hashes);
  const ids = new Map<Node, InstanceId>();
  for (const [node, hash] of hashes) ids.set(node, instanceId(node, hash));
  return ids;
}

/** Id of a package's files alone, without links; shared by all hoisted trees. */
export function bareId(node: Node): InstanceId {
  return instanceId(node, sha256(["bare", ...own(node)]));
}

function instanceId(node: Node, hash: string): InstanceId {
  return `${node.pkg.name.replace("/", "+")}@${node.pkg.version}-${hash.slice(0, 32)}`;
}

/**
 * The hash of each member. Outside the component a target is its hash; inside, labels are refined until they tell apart
 * all that following links can tell apart. A label alone only says what lies a number of links away, so the hash also
 * covers the labels of the whole component: members of two knots with equal hashes then have equal links all the way.
 */
function hashComponent(component: readonly Node[], links: Links, hashes: Map<Node, string>): void {
  const inside = new Set(component);
  let cyclic = false;
  let labels = new Map<Node, string>();
  for (const node of component) {
    const fields = own(node);
    for (const { path, to, inner } of links.get(node) ?? []) {
      if (inside.has(to)) cyclic = true;
      fields.push(path, inner, inside.has(to) ? "cycle" : (hashes.get(to) as string));
    }
    labels.set(node, sha256(fields));
  }
  if (cyclic) {
    for (let before = 0, now = distinct(labels).length; before !== now; ) {
      labels = refine(labels, links);
      [before, now] = [now, distinct(labels).length];
    }
    const knot = sha256(distinct(labels));
    for (const [node, label] of labels) labels.set(node, sha256([knot, label]));
  }
  for (const [node, hash] of labels) hashes.set(node, hash);
}

/** Labels that also say what every link inside of the component led to before; none that differed become equal. */
function refine(labels: ReadonlyMap<Node, string>, links: Links): Map<Node, string> {
  const next = new Map<Node, string>();
  for (const [node, label] of labels) {
    const fields = [label];
    for (const { path, to } of links.get(node) ?? []) {
      const target = labels.get(to);
      if (target !== undefined) fields.push(path, target);
    }
    next.set(node, sha256(fields));
  }
  return next;
}

const distinct = (labels: ReadonlyMap<Node, string>): string[] => [...new Set(labels.values())].sort(byteOrder);

/** What a package is by itself. */
function own(node: Node): string[] {
  const { name, version, integrity, location } = node.pkg;
  if (integrity.kind !== "strong") throw new Error(`no strong integrity for ${location}`);
  return [closureFormat, name, version, integrity.text];
}

/** No field holds a newline: names, versions, paths and hashes are checked before. */
function sha256(fields: readonly string[]): string {
  return Bun.CryptoHasher.hash("sha256", fields.join("\n"), "hex");
}

/** Strongly connected components, targets before what links to them (Tarjan's algorithm, without recursion). */
function components(links: Links): Node[][] {
  const index = new Map<Node, number>();
  const low = new Map<Node, number>();
  const onStack = new Set<Node>();
  const stack: Node[] = [];
  const result: Node[][] = [];
  const enter = (node: Node): { node: Node; next: number } => {
    index.set(node, index.size);
    low.set(node, index.size - 1);
    stack.push(node);
    onStack.add(node);
    return { node, next: 0 };
  };
  for (const start of links.keys()) {
    if (index.has(start)) continue;
    const work = [enter(start)];
    for (let frame = work.at(-1); frame !== undefined; frame = work.at(-1)) {
      const { node } = frame;
      const to = links.get(node)?.[frame.next++]?.to;
      if (to !== undefined) {
        if (!index.has(to)) work.push(enter(to));
        else if (onStack.has(to)) lower(low, node, index.get(to) as number);
        continue;
      }
      work.pop();
      const parent = work.at(-1);
      if (parent !== undefined) lower(low, parent.node, low.get(node) as number);
      if (low.get(node) !== index.get(node)) continue;
      const component = stack.splice(stack.lastIndexOf(node));
      for (const member of component) onStack.delete(member);
      result.push(component.sort((a, b) => byteOrder(a.pkg.location, b.pkg.location)));
    }
  }
  return result;
}

function lower(low: Map<Node, number>, node: Node, value: number): void {
  if (value < (low.get(node) as number)) low.set(node, value);
}
