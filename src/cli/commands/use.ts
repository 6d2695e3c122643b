import { applyUse, planUse } from "../../ops/use.ts";
import type { CommandModule } from "../command.ts";
import { moveLines } from "../move-lines.ts";

export const use: CommandModule = {
  define(command) {
    command.argument("<hash>", "the beginning of the hash of a tree on this host");
  },
  async run(session, args, options) {
    const prefix = args[0] as string;
    const ctx = session.context();
    const move = options.dryRun ? planUse(ctx, prefix) : await applyUse(ctx, prefix, options.reason);
    return {
      lines: moveLines(move, options.dryRun === true, session.paint.bold),
      data: move,
      switched: move.switched && !options.dryRun,
    };
  },
};
