import { CspError } from "../../core/errors.ts";
import { applyInit, planInit } from "../../ops/init.ts";
import type { CommandModule, CommonOptions } from "../command.ts";
import { addStoreOption } from "../options.ts";
import { askSettings } from "../prompts.ts";

interface InitFlags extends CommonOptions {
  linker?: string;
  registry?: string;
  minimumReleaseAge?: string;
  platform?: string[];
}

export const init: CommandModule<InitFlags> = {
  define(command) {
    command
      .option("--linker <kind>", "isolated (default) or hoisted")
      .option("--registry <url>", "the registry; default: what the npm configuration says")
      .option("--minimum-release-age <duration>", "how old a version must be, as in 3d")
      .option("--platform <name...>", "whose blobs are published, as in linux-x64")
      .option("-y, --yes", "ask nothing");
    addStoreOption(command);
  },
  async run(session, _args, options) {
    const ctx = session.context({ here: true });
    planInit(ctx, {});
    const given = options.linker ?? options.registry ?? options.minimumReleaseAge ?? options.platform ?? options.store;
    const answers =
      session.canAsk && !options.yes && given === undefined
        ? await askSettings(ctx.signal, session.interrupt)
        : options;
    const { linker } = answers;
    if (linker !== undefined && linker !== "isolated" && linker !== "hoisted") {
      throw new CspError("CSP_USAGE", {
        message: `there is no linker \`${linker}\``,
        hint: "write `isolated` or `hoisted`",
      });
    }
    const edit = planInit(ctx, {
      ...(linker === undefined ? {} : { linker }),
      ...(answers.registry === undefined ? {} : { registryUrl: answers.registry }),
      ...(answers.minimumReleaseAge === undefined ? {} : { minimumReleaseAge: answers.minimumReleaseAge }),
      ...(answers.platform === undefined ? {} : { platforms: answers.platform }),
      ...(Array.isArray(answers.store) ? { stores: answers.store } : {}),
    });
    if (!options.dryRun) applyInit(edit);
    const lines = options.dryRun
      ? [edit.after.trimEnd(), "", `would write ${edit.path}`]
      : [`wrote ${edit.path}`, "next: `csp add <package>`"];
    return { lines, data: { path: edit.path, written: !options.dryRun, text: edit.after } };
  },
};
