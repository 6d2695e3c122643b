/** How a collection, planned or done, is told. */
import { formatSize } from "../core/quantity.ts";
import type { Kept } from "../ops/gc/kept.ts";
import { freedBytes, type GcPlan } from "../ops/gc/plan.ts";
import type { Session } from "./command.ts";
import type { Paint } from "./paint.ts";
import { counted, formatTook } from "./summary.ts";
import { alignRows } from "./table.ts";

interface Kind {
  noun: string;
  count: number;
  bytes: number;
}

/** Count and bytes of each kind; a plan and its result count alike. */
function kinds(plan: GcPlan): Kind[] {
  const sum = (items: readonly { bytes: number }[]): number => items.reduce((total, { bytes }) => total + bytes, 0);
  const { trees, packages, blobs, leftovers } = plan;
  return [
    { noun: "tree", count: trees.length, bytes: sum(trees) },
    { noun: "package", count: packages.length, bytes: freedBytes(packages) },
    { noun: "blob", count: blobs.length, bytes: sum(blobs) },
    { noun: "leftover", count: leftovers.length, bytes: sum(leftovers) },
  ];
}

/** In one line: `2 trees, 3 packages, 1.2 MB`. */
export function gcSummary(plan: GcPlan): string {
  const found = kinds(plan).filter(({ count }) => count > 0);
  if (found.length === 0) return "nothing";
  const bytes = found.reduce((total, kind) => total + kind.bytes, 0);
  return [...found.map(({ noun, count }) => counted(count, noun)), formatSize(bytes)].join(", ");
}

/** A line for each kind, each thing with `--verbose`, and the total. */
export function gcLines(plan: GcPlan, session: Session, dryRun: boolean, tookMs: number): string[] {
  const { paint, verbose } = session;
  const found = kinds(plan).filter(({ count }) => count > 0);
  const kept = verbose > 0 ? keptLines(plan.kept, paint, verbose > 1) : [];
  const took = paint.dim(formatTook(tookMs));
  if (found.length === 0) return [...kept, `nothing to collect ${took}`];
  const verb = dryRun ? "would remove" : "removed";
  const rows = found.map(({ noun, count, bytes }) => [`${verb} ${counted(count, noun)}`, formatSize(bytes)]);
  const total = found.reduce((sum, { bytes }) => sum + bytes, 0);
  return [
    ...kept,
    ...(verbose > 0 ? goneLines(plan, paint) : []),
    ...alignRows(rows, [1]),
    `${dryRun ? "would free" : "freed"} ${paint.bold(formatSize(total))} ${took}`,
  ];
}

function goneLines(plan: GcPlan, paint: Paint): string[] {
  const minus = paint.red("-");
  const since = (time: number): string => new Date(time).toISOString();
  return [
    ...plan.trees.map(({ hash, retiredAt }) => `${minus} tree ${hash.slice(0, 12)}  retired ${since(retiredAt)}`),
    ...plan.packages.map(({ id, bytes, shared }) => {
      const size = shared ? "its files are shared with one that stays" : formatSize(bytes);
      return `${minus} package ${id}  ${size}`;
    }),
    ...plan.blobs.map(({ digest, bytes, since: from }) => {
      return `${minus} blob ${digest.slice(0, 16)}  ${formatSize(bytes)}, not needed since ${since(from)}`;
    }),
    ...plan.leftovers.map(({ path, bytes }) => `${minus} ${path}  ${formatSize(bytes)}`),
  ];
}

/** Trees one by one; packages and blobs by reason, or one by one as well. */
function keptLines(kept: readonly Kept[], paint: Paint, each: boolean): string[] {
  const lines: string[] = [];
  const groups = new Map<string, number>();
  for (const { kind, name, why } of kept) {
    const short = kind === "tree" ? name.slice(0, 12) : kind === "blob" ? name.slice(0, 16) : name;
    if (each || kind === "tree" || kind === "leftover") lines.push(`${paint.green("=")} ${kind} ${short}  ${why}`);
    else {
      const reason = why.startsWith("needed by") ? "needed by trees that stay" : why;
      groups.set(`${kind}\n${reason}`, (groups.get(`${kind}\n${reason}`) ?? 0) + 1);
    }
  }
  for (const [key, count] of groups) {
    const [kind = "", reason = ""] = key.split("\n");
    lines.push(`${paint.green("=")} ${counted(count, kind)}  ${reason}`);
  }
  return lines;
}

/** The `data` of a collection. */
export function gcData(plan: GcPlan): Record<string, unknown> {
  const [trees, packages, blobs, leftovers] = kinds(plan).map(({ count, bytes }) => ({ count, bytes }));
  const iso = (time: number): string => new Date(time).toISOString();
  return {
    trees: {
      ...trees,
      items: plan.trees.map(({ hash, bytes, retiredAt }) => ({ hash, bytes, retiredAt: iso(retiredAt) })),
    },
    packages: { ...packages, items: plan.packages.map(({ id, bytes, shared }) => ({ id, bytes, shared })) },
    blobs: {
      ...blobs,
      items: plan.blobs.map(({ digest, bytes, since }) => ({ digest, bytes, unneededSince: iso(since) })),
    },
    leftovers: { ...leftovers, items: plan.leftovers.map(({ kind, path, bytes }) => ({ kind, path, bytes })) },
    bytes: kinds(plan).reduce((sum, { bytes }) => sum + bytes, 0),
    size: plan.size ?? null,
    kept: plan.kept,
  };
}
