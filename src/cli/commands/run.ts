import { CspError } from "../../core/errors.ts";
import { runOnCurrent } from "../../ops/run.ts";
import type { CommandModule } from "../command.ts";
import { endOf, type RunFlags, runSettings, runtimeOptions } from "../run-options.ts";

interface RunScriptFlags extends RunFlags {
  eval?: string;
}

export const run: CommandModule<RunScriptFlags> = {
  define(command) {
    command
      .argument("[file]", "a script, or `-` for standard input")
      .argument("[args...]", "the script's own arguments")
      .option("-e, --eval <code>", "run this code, as if it stood in a file here")
      .passThroughOptions();
    runtimeOptions(command);
  },
  async run(session, args, options) {
    const [file, ...rest] = args;
    if (options.eval === undefined && file === undefined) {
      throw new CspError("CSP_USAGE", { message: "nothing to run", hint: "name a script, or give code with `-e`" });
    }
    const what =
      options.eval !== undefined
        ? { kind: "code" as const, text: options.eval }
        : file === "-"
          ? { kind: "stdin" as const }
          : { kind: "file" as const, path: file as string };
    const own = options.eval === undefined ? rest : args;
    const ctx = session.context();
    const settings = runSettings(session, options);
    const result = await session.withoutSignals(() => runOnCurrent(ctx, { ...settings, what, args: own }));
    return endOf(result, options);
  },
};
