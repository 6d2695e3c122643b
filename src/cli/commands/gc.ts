import { CspError } from "../../core/errors.ts";
import type { GcLimits } from "../../core/gc-policy.ts";
import { durationForm, formatSize, parseDuration, parseSize, sizeForm } from "../../core/quantity.ts";
import type { CollectionLimits } from "../../core/store-protocol-collect.ts";
import { applyGc, type GcOutcome } from "../../ops/gc/apply.ts";
import { type GcOptions, planGc } from "../../ops/gc/plan.ts";
import type { CommandModule, CommonOptions, Report, Session } from "../command.ts";
import { parseCount } from "../counts.ts";
import { gcData, gcLines, gcSummary } from "../gc-report.ts";
import { addStoreScope } from "../options.ts";

interface GcFlags extends CommonOptions {
  trees?: boolean;
  blobs?: boolean;
  keep?: string;
  treeGrace?: string;
  blobGrace?: string;
  maxSize?: string;
  keepReleases?: string;
  abandonedAfter?: string;
}

export const gc: CommandModule<GcFlags> = {
  define(command) {
    command
      .option("--trees", "only trees, and the packages that no tree needs")
      .option("--blobs", "only blobs that no tree refers to")
      .option("--keep <count>", "how many trees before the current one stay; default: `gc.keepPrevious`")
      .option("--tree-grace <duration>", "how long a retired tree stays; default: `gc.treeGrace`")
      .option("--blob-grace <duration>", "how long a blob stays that no tree needs; default: `gc.blobGrace`")
      .option("--max-size <size>", "remove only until all that is left fits, oldest first")
      .option(
        "--keep-releases <count>",
        "with --store: how many releases of each channel stay; default: `gc.keepReleases`",
      )
      .option(
        "--abandoned-after <duration>",
        "with --store: when a publication that stands still is dead (default 24h)",
      );
    addStoreScope(command, "collect the store instead of this host: the configured one, or this");
  },
  async run(session, _args, flags) {
    const started = performance.now();
    if (flags.store !== undefined) {
      const { collectStore } = await import("../store-gc.ts");
      return collectStore(session, storeLimits(flags), flags.dryRun === true);
    }
    const options = gcOptions(session, flags);
    const ctx = session.context();
    const outcome: GcOutcome = flags.dryRun ? { plan: planGc(ctx, options), failed: [] } : await applyGc(ctx, options);
    const { plan, failed } = outcome;
    if (plan.size !== undefined && options.maxSize !== undefined && plan.size.after > options.maxSize) {
      ctx.warn({
        code: "CSP_WARN_GC_SIZE",
        message: `what must be kept takes ${formatSize(plan.size.after)}, more than the ${flags.maxSize} of \`--max-size\``,
        hint: "run `csp gc --dry-run --verbose` to see why each thing is kept",
      });
    }
    if (failed.length > 0) throw partial(outcome);
    const report: Report = {
      lines: gcLines(plan, session, flags.dryRun === true, performance.now() - started),
      data: gcData(plan),
    };
    return report;
  },
};

function storeLimits({ keepReleases, blobGrace, abandonedAfter }: GcFlags): Partial<CollectionLimits> {
  return {
    ...(keepReleases === undefined ? {} : { keep: parseCount(keepReleases, "--keep-releases", 0) }),
    ...(blobGrace === undefined ? {} : { grace: duration(blobGrace, "--blob-grace") }),
    ...(abandonedAfter === undefined ? {} : { intentLimit: duration(abandonedAfter, "--abandoned-after") }),
  };
}

function gcOptions(session: Session, flags: GcFlags): GcOptions {
  const limits: Partial<GcLimits> = {
    ...(flags.keep === undefined ? {} : { keepPrevious: parseCount(flags.keep, "--keep", 0) }),
    ...(flags.treeGrace === undefined ? {} : { treeGrace: duration(flags.treeGrace, "--tree-grace") }),
    ...(flags.blobGrace === undefined ? {} : { blobGrace: duration(flags.blobGrace, "--blob-grace") }),
  };
  const all = flags.trees !== true && flags.blobs !== true;
  return {
    trees: all || flags.trees === true,
    blobs: all || flags.blobs === true,
    leftovers: all,
    limits,
    maxSize: flags.maxSize === undefined ? undefined : size(flags.maxSize),
    explain: session.verbose > 0,
  };
}

function duration(text: string, option: string): number {
  const parsed = parseDuration(text);
  if (parsed !== undefined) return parsed;
  throw new CspError("CSP_USAGE", { message: `\`${option} ${text}\` is no duration`, hint: `write ${durationForm}` });
}

function size(text: string): number {
  const parsed = parseSize(text);
  if (parsed !== undefined) return parsed;
  throw new CspError("CSP_USAGE", { message: `\`--max-size ${text}\` is no size`, hint: `write ${sizeForm}` });
}

function partial({ plan, failed }: GcOutcome): CspError {
  const shown = failed.slice(0, 10).map(({ name, error }) => `${name.slice(0, 100)}: ${error.message}`);
  const more = failed.length > shown.length ? [`and ${failed.length - shown.length} more`] : [];
  const { hint } = failed[0]?.error ?? {};
  return new CspError("CSP_GC_PARTIAL", {
    message: `${failed.length === 1 ? "one thing" : `${failed.length} things`} could not be removed`,
    details: [...shown, ...more, `removed: ${gcSummary(plan)}`],
    ...(hint === undefined ? {} : { hint }),
    data: { ...gcData(plan), failed: failed.map(({ name, error }) => ({ name, code: error.code, ...error.data })) },
  });
}
