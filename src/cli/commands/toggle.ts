import type { CommandModule } from "../command.ts";
import { type EditFlags, editByName } from "../edit-report.ts";

export const enable = editByName("enabled", (name) => ({ enable: name }));

const plain = editByName<EditFlags & { because?: string }>("disabled", (name, { because }) => ({
  disable: name,
  ...(because === undefined ? {} : { reason: because }),
}));

export const disable: CommandModule<EditFlags & { because?: string }> = {
  define(command) {
    plain.define(command);
    command.option("--because <text>", "the reason, kept in the allowlist for its readers");
  },
  run: plain.run,
};
