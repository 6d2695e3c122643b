import type { RepairOutcome } from "../../ops/verify/repair.ts";
import { planHostRepair, repairHost, type Verification, verifyHost } from "../../ops/verify.ts";
import { thingKey } from "../../tree/finding.ts";
import type { CommandModule, CommonOptions } from "../command.ts";
import { addStoreScope } from "../options.ts";
import { formatTook } from "../summary.ts";
import { findingLines, helpLines, planLines, repairLines, summaryLine, verifyData } from "../verify-lines.ts";

interface VerifyFlags extends CommonOptions {
  repair?: boolean;
  deep?: boolean;
}

export const verify: CommandModule<VerifyFlags> = {
  define(command) {
    command
      .option("--repair", "restore what is damaged from the cache or the registry")
      .option("--deep", "all trees, packages and blobs, not only those of the current tree")
      .option("--offline", "repair from what is on this host; open no socket");
    addStoreScope(command, "verify the store instead of this host: the configured one, or this");
  },
  async run(session, _args, options) {
    if (options.store !== undefined) {
      const { checkStore } = await import("../store-verify.ts");
      return checkStore(session, options.repair === true, options.dryRun === true);
    }
    const started = performance.now();
    const ctx = session.context();
    const { paint } = session;
    const deep = options.deep === true;
    const all = session.verbose > 0;
    const took = (): string => paint.dim(formatTook(performance.now() - started));
    if (options.repair && !options.dryRun) {
      const { before, after, outcome } = await repairHost(ctx, { deep, reason: options.reason });
      const lines = [
        ...repairLines(outcome, after, paint, all),
        `${summaryLine(after, paint, outcome, before)} ${took()}`,
      ];
      return { lines, data: verifyData(after, { ...outcome, planned: false }, before), exit: exitOf(after, outcome) };
    }
    if (options.repair) {
      const { verification, plan } = await planHostRepair(ctx, { deep });
      const lines = [
        ...findingLines(verification, paint, all),
        ...planLines(plan, paint),
        `${summaryLine(verification, paint)} ${took()}`,
      ];
      const repair = { restored: plan.steps, failed: plan.hopeless, planned: true };
      return { lines, data: verifyData(verification, repair), exit: exitOf(verification) };
    }
    const verification = await verifyHost(ctx, { deep });
    const lines = [
      ...findingLines(verification, paint, all),
      `${summaryLine(verification, paint)} ${took()}`,
      ...helpLines(verification, paint),
    ];
    return { lines, data: verifyData(verification), exit: exitOf(verification) };
  },
};

/** 4 for damage, also for what is lost for good; 75 where nothing is known to be damaged, but not all could be checked. */
function exitOf({ result, findings }: Verification, outcome?: RepairOutcome): number {
  const left = new Set(findings.map(({ thing }) => thingKey(thing)));
  const isLost = outcome?.failed.some(({ thing }) => !left.has(thingKey(thing)));
  if (result === "damaged" || isLost) return 4;
  return result === "unchecked" ? 75 : 0;
}
