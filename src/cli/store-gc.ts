/** `csp gc --store`: how a collection of a store is asked for and told. */
import { CspError } from "../core/errors.ts";
import { formatSize } from "../core/quantity.ts";
import type { StoreKey } from "../core/store-key.ts";
import type { CollectionLimits } from "../core/store-protocol-collect.ts";
import type { KeptBecause } from "../core/store-retention.ts";
import { short } from "../ops/current-tree.ts";
import { applyStoreGc, planStoreGc, type StoreGcOutcome, type StoreGcPlan } from "../ops/store-gc.ts";
import { openConfigured, readSettings } from "../ops/stores.ts";
import type { Report, Session } from "./command.ts";
import type { Paint } from "./paint.ts";
import { counted, formatTook } from "./summary.ts";
import { alignRows } from "./table.ts";

/** How long an intent stands without a sign of life before a collection takes its publication for dead. */
const intentLimitMs = 24 * 3_600_000;

/** Collects the configured store, or shows what would go. */
export async function collectStore(
  session: Session,
  given: Partial<CollectionLimits>,
  dryRun: boolean,
): Promise<Report> {
  const started = performance.now();
  const ctx = session.context();
  const store = await openConfigured(ctx);
  try {
    const settings = readSettings(ctx)?.gc;
    const limits: CollectionLimits = {
      keep: given.keep ?? settings?.keepReleases ?? 10,
      grace: given.grace ?? settings?.blobGrace ?? 24 * 3_600_000,
      intentLimit: given.intentLimit ?? intentLimitMs,
    };
    const outcome: StoreGcOutcome = dryRun
      ? { plan: await planStoreGc(ctx, store, limits), deleted: [], failed: [] }
      : await applyStoreGc(ctx, store, limits);
    if (outcome.failed.length > 0) throw partial(store.address, outcome);
    return {
      lines: lines(outcome, session, dryRun, performance.now() - started),
      data: data(store.address, outcome, dryRun),
    };
  } finally {
    await store.close();
  }
}

function lines(
  { plan, deleted }: StoreGcOutcome,
  { paint, verbose }: Session,
  dryRun: boolean,
  tookMs: number,
): string[] {
  const took = paint.dim(formatTook(tookMs));
  const { collection, sizes } = plan;
  const kept = verbose > 0 ? keptLines(plan, paint) : [];
  if (collection === undefined) return [`nothing was published to this store yet ${took}`];
  const going = dryRun ? collection.root.deleting : deleted;
  const would = dryRun ? "would be " : "";
  const rows: string[][] = [];
  const row = (count: number, noun: string, verb: string, size: string): void => {
    if (count > 0) rows.push([`${counted(count, noun)} ${would}${verb}`, size]);
  };
  row(collection.dropped.length, "release", "dropped", "");
  row(collection.revoked.length, "publication", "revoked", "");
  row(collection.doomed.length, "object", "doomed", formatSize(bytesOf(collection.doomed, sizes)));
  row(going.length, "object", "deleted", formatSize(bytesOf(going, sizes)));
  const waiting = collection.root.doomed.size;
  if (rows.length === 0) {
    return [
      ...kept,
      `nothing to collect${waiting > 0 ? `; ${counted(waiting, "object")} wait for the end of their grace` : ""} ${took}`,
    ];
  }
  const freed = formatSize(bytesOf(going, sizes));
  return [...kept, ...alignRows(rows, [1]), `${dryRun ? "would free" : "freed"} ${paint.bold(freed)} ${took}`];
}

function keptLines({ root, retention, collection }: StoreGcPlan, paint: Paint): string[] {
  const releases = [...retention].flatMap(([hash, reasons]) => {
    const release = root?.releases.get(hash);
    return release === undefined ? [] : [[`keep release ${paint.bold(short(hash))}`, reasons.map(because).join(", ")]];
  });
  const intents = [...(collection?.root.intents.values() ?? [])].map(({ purpose, by, at }) => [
    `keep what a ${purpose === "publish" ? "publication" : "migration"} holds`,
    `begun ${new Date(at).toISOString()} by ${by}`,
  ]);
  return alignRows([...releases, ...intents]);
}

function because(reason: KeptBecause): string {
  if ("pin" in reason) return "pinned";
  return reason.back === 0 ? `${reason.channel} points at it` : `${reason.channel} pointed at it, ${reason.back} back`;
}

function bytesOf(keys: Iterable<StoreKey>, sizes: StoreGcPlan["sizes"]): number {
  let sum = 0;
  for (const key of keys) sum += sizes.get(key) ?? 0;
  return sum;
}

function data(store: string, { plan, deleted, failed }: StoreGcOutcome, dryRun: boolean): object {
  const { collection, sizes, retention } = plan;
  const going = dryRun ? (collection?.root.deleting ?? []) : deleted;
  return {
    store,
    releases: {
      kept: [...retention].map(([hash, reasons]) => ({ hash, because: reasons.map(because) })),
      dropped: collection?.dropped ?? [],
    },
    revoked: collection?.revoked ?? [],
    doomed: collection?.doomed ?? [],
    waiting: collection?.root.doomed.size ?? 0,
    deleted: going,
    deletedBytes: bytesOf(going, sizes),
    orphans: collection?.orphans ?? [],
    objects: sizes.size,
    failed,
  };
}

function partial(store: string, outcome: StoreGcOutcome): CspError {
  const { failed, deleted } = outcome;
  return new CspError("CSP_GC_PARTIAL", {
    message: `${counted(failed.length, "object")} of the store \`${store}\` could not be deleted`,
    details: [
      ...failed.slice(0, 10).map(({ message }) => message),
      ...(failed.length > 10 ? [`and ${failed.length - 10} more`] : []),
      `deleted: ${counted(deleted.length, "object")}`,
    ],
    hint: "run it again; what is left is marked and goes then",
    data: data(store, outcome, false) as Record<string, unknown>,
  });
}
