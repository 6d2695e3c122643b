import { planHostRepair, repairHost, type Verification, verifyHost } from "../../ops/verify.ts";
import type { CommandModule, CommonOptions } from "../command.ts";
import { formatTook } from "../summary.ts";
import { findingLines, planLines, repairLines, summaryLine, verifyData } from "../verify-lines.ts";

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
  },
  async run(session, _args, options) {
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
    const help =
      verification.result === "sound"
        ? []
        : [`${paint.cyan("help:")} run \`csp verify --repair${deep ? " --deep" : ""}\``];
    const lines = [...findingLines(verification, paint, all), `${summaryLine(verification, paint)} ${took()}`, ...help];
    return { lines, data: verifyData(verification), exit: exitOf(verification) };
  },
};

/** 4 for damage, 75 where something could not be checked and nothing is known to be damaged. */
function exitOf({ result }: Verification, outcome?: { failed: readonly unknown[] }): number {
  if (result === "damaged" || (outcome !== undefined && result === "sound" && outcome.failed.length > 0)) return 4;
  return result === "unchecked" ? 75 : 0;
}
