import { applyRollback, planRollback } from "../../ops/rollback.ts";
import type { CommandModule, CommonOptions } from "../command.ts";
import { parseCount } from "../counts.ts";
import { moveLines } from "../move-lines.ts";
import { usageError } from "../options.ts";

export const rollback: CommandModule<CommonOptions & { steps?: string }> = {
  define(command) {
    command
      .argument("[hash]", "the beginning of a tree's hash; none goes one switch back")
      .option("-n, --steps <count>", "how many switches to go back");
  },
  async run(session, args, options) {
    const [prefix] = args;
    if (prefix !== undefined && options.steps !== undefined) {
      throw usageError("a rollback takes a hash or `-n`, not both", undefined, []);
    }
    const choice = { prefix, steps: options.steps === undefined ? undefined : parseCount(options.steps, "-n") };
    const ctx = session.context();
    const move = options.dryRun ? planRollback(ctx, choice) : await applyRollback(ctx, choice, options.reason);
    return {
      lines: moveLines(move, options.dryRun === true, session.paint.bold),
      data: move,
      switched: move.switched && !options.dryRun,
    };
  },
};
