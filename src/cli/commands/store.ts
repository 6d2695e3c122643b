import { absoluteAddress } from "../../ops/store-address.ts";
import { checkStore, type StoreTrial } from "../../ops/store-check.ts";
import { open, openEach, readSettings } from "../../ops/stores.ts";
import type { CommandModule, CommonOptions } from "../command.ts";
import { usageError } from "../options.ts";
import type { Paint } from "../paint.ts";
import { formatTook } from "../summary.ts";
import { alignRows } from "../table.ts";

/** `csp store check [address]`. */
export const store: CommandModule<CommonOptions & { readOnly?: boolean }> = {
  define(command) {
    command
      .argument("<action>", "check")
      .argument("[address]", "the store; default: the configured one")
      .option("--read-only", "write nothing, so that only reading is tried");
  },
  async run(session, [action = "", address], options) {
    if (action !== "check") {
      throw usageError(`\`csp store\` checks a store, it cannot \`${action}\``, action, ["check"], "store");
    }
    const ctx = session.context();
    const stores =
      address === undefined
        ? await openEach(ctx, readSettings(ctx)?.stores ?? [])
        : [await open(ctx, absoluteAddress(address, ctx.cwd))];
    try {
      const reports = await Promise.all(
        stores.map(async (each, index) => ({
          address: each.address,
          ...(await checkStore(each, { readOnly: options.readOnly === true || index > 0 })),
        })),
      );
      const { paint } = session;
      const lines = reports.flatMap(({ address: name, kind, trials, can }) => {
        const able = Object.entries(can).flatMap(([what, yes]) => (yes ? [what] : []));
        return [
          `${paint.bold(name)}, ${kind}`,
          ...alignRows(trials.map((trial) => row(trial, paint))).map((line) => `  ${line}`),
          `  possible: ${able.length === 0 ? "nothing" : able.join(", ")}`,
          ...helps(trials).map((hint) => `  ${paint.cyan("help:")} ${hint}`),
        ];
      });
      const sound = reports.every(({ can }) => can.read);
      return { lines, data: reports, ...(sound ? {} : { exit: 1 }) };
    } finally {
      await Promise.all(stores.map((each) => each.close()));
    }
  },
};

function row({ name, ok, says, tookMs }: StoreTrial, paint: Paint): string[] {
  return [ok ? paint.green("ok") : paint.red("no"), name, `${says} ${paint.dim(formatTook(tookMs))}`];
}

/** What to do about what failed, each once. */
function helps(trials: readonly StoreTrial[]): string[] {
  return [...new Set(trials.flatMap(({ hint }) => hint ?? []))];
}
