import type { CommandModule } from "../command.ts";
import { type EditFlags, runEdits } from "../edit-report.ts";

export const remove: CommandModule<EditFlags> = {
  define(command) {
    command
      .argument("<name...>", "as scripts import it")
      .option("--lockfile-only", "change the project's files, not this host");
  },
  run: (session, args, options) =>
    runEdits(session, options, async () => ({
      edits: [...new Set(args)].map((name) => ({ remove: name })),
      lines: [],
      data: { removed: args },
    })),
};
