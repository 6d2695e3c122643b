import { CspError } from "../../core/errors.ts";
import { parsePackageSpec } from "../../core/package-spec.ts";
import { type Choice, chooseVersions, editsOf } from "../../ops/add.ts";
import { readAllowlist } from "../../ops/project.ts";
import type { CommandModule } from "../command.ts";
import { type EditFlags, runEdits } from "../edit-report.ts";
import { addSpaceOption } from "../options.ts";
import type { Paint } from "../paint.ts";

export const add: CommandModule<EditFlags> = {
  define(command) {
    command
      .argument("<spec...>", "name, name@1.2.3, name@^1, name@tag, or alias@npm:name@1.2.3")
      .option("--lockfile-only", "change the project's files, not this host");
    addSpaceOption(command);
  },
  async run(session, args, options) {
    const specs = args.map(parsePackageSpec);
    const twice = specs.find((spec, i) => specs.findIndex((other) => other.key === spec.key) !== i);
    if (twice !== undefined) {
      throw new CspError("CSP_USAGE", { message: `\`${twice.key}\` is named twice`, hint: "name each package once" });
    }
    return runEdits(session, options, async (ctx) => {
      const choices = await chooseVersions(ctx, readAllowlist(ctx.project).allowlist, specs);
      return {
        edits: editsOf(choices),
        lines: choices.flatMap((choice) => choiceLines(choice, session.paint)),
        data: { chosen: choices.map((choice) => ({ ...choice, asked: choice.asked ?? null })) },
      };
    });
  },
};

/** Says what was chosen where the user left a choice, and what newer versions were passed over. */
function choiceLines({ key, name, version, asked, skipped }: Choice, paint: Paint): string[] {
  if (asked === undefined) return [];
  const target = key === name ? name : `${key} (${name})`;
  const shown = skipped.slice(0, 3).map((each) => paint.dim(`  skipped ${each.version}: ${each.why}`));
  const more = skipped.length > 3 ? [paint.dim(`  and ${skipped.length - 3} more`)] : [];
  return [`${target}@${asked} is ${paint.bold(version)}`, ...shown, ...more];
}
