/** Collecting only until everything fits into a size: what was retired longest goes first. */
import type { InstanceId } from "../../core/closure.ts";
import type { Footprint } from "../../tree/inventory.ts";
import type { BlobVictim, TreeVictim } from "./plan.ts";

/** What could go. */
export interface Candidates {
  trees: readonly TreeVictim[];
  /** Instances that no tree needs. */
  orphans: readonly InstanceId[];
  blobs: readonly BlobVictim[];
}

export interface Sizes {
  /** Bytes of everything now. */
  before: number;
  footprints: ReadonlyMap<InstanceId, Footprint>;
  /** How many trees need an instance. */
  needs: ReadonlyMap<InstanceId, number>;
}

/** Picks from the candidates until no more than `maxSize` bytes would be left: orphans, then by the time of retirement. */
export function limitToSize(candidates: Candidates, sizes: Sizes, maxSize: number): Candidates & { after: number } {
  const sharers = new Map<string, number>();
  for (const { share } of sizes.footprints.values()) sharers.set(share, (sharers.get(share) ?? 0) + 1);
  const needs = new Map(sizes.needs);
  let after = sizes.before;
  const drop = (id: InstanceId): void => {
    const size = sizes.footprints.get(id);
    if (size === undefined) return;
    const left = (sharers.get(size.share) ?? 1) - 1;
    sharers.set(size.share, left);
    if (left === 0) after -= size.bytes;
  };
  const picked = { trees: [] as TreeVictim[], orphans: [] as InstanceId[], blobs: [] as BlobVictim[] };
  const steps = [
    ...candidates.orphans.map((id) => ({
      time: Number.NEGATIVE_INFINITY,
      take() {
        picked.orphans.push(id);
        drop(id);
      },
    })),
    ...candidates.trees.map((tree) => ({
      time: tree.retiredAt,
      take() {
        picked.trees.push(tree);
        after -= tree.bytes;
        for (const id of tree.instances) {
          const left = (needs.get(id) ?? 1) - 1;
          needs.set(id, left);
          if (left === 0) drop(id);
        }
      },
    })),
    ...candidates.blobs.map((blob) => ({
      time: blob.since,
      take() {
        picked.blobs.push(blob);
        after -= blob.bytes;
      },
    })),
  ];
  for (const step of steps.sort((a, b) => (a.time === b.time ? 0 : a.time - b.time))) {
    if (after <= maxSize) break;
    step.take();
  }
  return { ...picked, after };
}
