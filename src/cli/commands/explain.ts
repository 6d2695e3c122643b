import { type Code, codes } from "../../core/codes.ts";
import type { CommandModule } from "../command.ts";
import { usageError } from "../options.ts";
import { alignRows } from "../table.ts";

export const explain: CommandModule = {
  define(command) {
    command.argument("[code]", "a code from a message; none lists all");
  },
  async run(_session, args) {
    const [asked] = args;
    const all = Object.entries(codes).map(([code, { exit, meaning }]) => ({ code, exit, meaning }));
    if (asked === undefined) {
      return {
        lines: alignRows(
          all.map(({ code, exit, meaning }) => [code, String(exit), meaning]),
          [1],
        ),
        data: all,
      };
    }
    const code = asked.toUpperCase() as Code;
    const entry = codes[code];
    if (entry === undefined) throw usageError(`there is no code \`${asked}\``, code, Object.keys(codes));
    const kind = entry.exit === 0 ? "a warning; the command goes on" : `an error; csp exits with ${entry.exit}`;
    const retry = entry.exit === 75 ? ["the same command may succeed later"] : [];
    return {
      lines: [code, `  ${entry.meaning}`, `  ${kind}`, ...retry.map((line) => `  ${line}`)],
      data: { code, ...entry },
    };
  },
};
