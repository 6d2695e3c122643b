/** The commands that run scripts. */
import type { CatalogEntry } from "./entry.ts";

export const scriptCommands: readonly CatalogEntry[] = [
  {
    name: "run",
    aliases: [],
    group: "Scripts",
    summary: "run a script with the packages of the current tree",
    examples: [
      ["csp run check.ts --verbose", "what follows the file belongs to the script"],
      ["csp run -e 'import pad from \"leftpad\"; console.log(pad(7, 3))'", "code from the command line"],
      ["csp run --runtime node --timeout 30s check.cjs", "on Node, for half a minute at most"],
    ],
    mutates: false,
    load: async () => (await import("../commands/run.ts")).run,
  },
  {
    name: "exec",
    aliases: ["x"],
    group: "Scripts",
    summary: "run a binary of an allowlisted package",
    examples: [
      ["csp exec semver 1.2.3", "the semver command of the semver package"],
      ["csp exec -- tsc --version", "what follows `--` belongs to the binary"],
      ["csp exec --timeout 1m eslint .", "for a minute at most"],
    ],
    mutates: false,
    load: async () => (await import("../commands/exec.ts")).exec,
  },
  {
    name: "internal",
    aliases: [],
    group: "Scripts",
    summary: "answers for the programs that csp starts",
    examples: [],
    mutates: false,
    hidden: true,
    load: async () => (await import("../commands/internal.ts")).internal,
  },
];
