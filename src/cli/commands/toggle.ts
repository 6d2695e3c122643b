import type { CommandModule } from "../command.ts";
import { type EditFlags, runEdits } from "../edit-report.ts";

export const enable: CommandModule<EditFlags> = {
  define(command) {
    command
      .argument("<name...>", "as scripts import it")
      .option("--lockfile-only", "change the project's files, not this host");
  },
  run: (session, args, options) =>
    runEdits(session, options, async () => ({
      edits: [...new Set(args)].map((name) => ({ enable: name })),
      lines: [],
      data: { enabled: args },
    })),
};

export const disable: CommandModule<EditFlags & { because?: string }> = {
  define(command) {
    command
      .argument("<name...>", "as scripts import it")
      .option("--because <text>", "the reason, kept in the allowlist for its readers")
      .option("--lockfile-only", "change the project's files, not this host");
  },
  run: (session, args, options) =>
    runEdits(session, options, async () => ({
      edits: [...new Set(args)].map((name) => ({
        disable: name,
        ...(options.because === undefined ? {} : { reason: options.because }),
      })),
      lines: [],
      data: { disabled: args },
    })),
};
