/** Why things are kept, one by one, for those who ask. */
import type { InstanceId } from "../../core/closure.ts";
import type { Digest } from "../../core/integrity.ts";
import type { LockfileHash } from "../../core/lockfile-hash.ts";
import type { TreeDescription } from "../../tree/description.ts";
import type { GcView } from "./roots.ts";

/** Something that stays, and why. */
export interface Kept {
  kind: "tree" | "package" | "blob" | "leftover";
  name: string;
  why: string;
}

interface Remaining {
  view: GcView;
  going: ReadonlySet<LockfileHash>;
  staying: readonly TreeDescription[];
  packages: readonly { id: InstanceId }[];
  instances: readonly InstanceId[];
  blobs: readonly Digest[];
  gone: ReadonlySet<Digest>;
  living: readonly string[];
}

const notAskedFor = "not asked for, or there is room for it";

/** Everything that stays. `blobGrace` says of a blob that no tree needs when its grace ends, in milliseconds since 1970. */
export function keptThings(
  remaining: Remaining,
  blobGrace: (digest: Digest) => { until: number; now: number } | undefined,
): Kept[] {
  const { view, going, staying, instances, blobs, gone, living } = remaining;
  const packages = new Set(remaining.packages.map(({ id }) => id));
  const needs = new Map<InstanceId, LockfileHash[]>();
  for (const tree of staying) {
    for (const id of tree.instances) {
      const known = needs.get(id);
      if (known === undefined) needs.set(id, [tree.hash]);
      else known.push(tree.hash);
    }
  }
  return [
    ...view.verdicts
      .filter(({ hash }) => !going.has(hash))
      .map(({ hash, keeps }): Kept => {
        return { kind: "tree", name: hash, why: keeps.length > 0 ? keeps.join("; ") : notAskedFor };
      }),
    ...instances
      .filter((id) => !packages.has(id))
      .map((id): Kept => ({ kind: "package", name: id, why: neededBy(needs.get(id)) })),
    ...blobs
      .filter((digest) => !gone.has(digest))
      .map((digest): Kept => ({ kind: "blob", name: digest, why: graceWords(blobGrace(digest)) })),
    ...living.map((path): Kept => ({ kind: "leftover", name: path, why: "its owner is still running" })),
  ];
}

function neededBy(trees: readonly LockfileHash[] | undefined): string {
  const [first] = trees ?? [];
  if (trees === undefined || first === undefined) return notAskedFor;
  const more = trees.length > 1 ? ` and ${trees.length - 1} more` : "";
  return `needed by tree ${first.slice(0, 12)}${more}`;
}

function graceWords(grace: { until: number; now: number } | undefined): string {
  if (grace === undefined) return "needed by a tree";
  return grace.until > grace.now ? `in grace until ${new Date(grace.until).toISOString()}` : notAskedFor;
}
