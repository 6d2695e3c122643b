import { runOnCurrent } from "../../ops/run.ts";
import type { CommandModule } from "../command.ts";
import { endOf, type RunFlags, runSettings, runtimeOptions } from "../run-options.ts";

export const exec: CommandModule<RunFlags> = {
  define(command) {
    command
      .argument("<bin>", "a command of an allowlisted package")
      .argument("[args...]", "the command's own arguments")
      .passThroughOptions();
    runtimeOptions(command);
  },
  async run(session, args, options) {
    const [name = "", ...own] = args;
    const ctx = session.context();
    const settings = runSettings(session, options);
    const what = { kind: "bin" as const, name };
    return endOf(await session.withoutSignals(() => runOnCurrent(ctx, { ...settings, what, args: own })), options);
  },
};
