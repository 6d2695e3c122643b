/** The commands about the project itself. */
import type { CatalogEntry } from "./entry.ts";

export const projectCommands: readonly CatalogEntry[] = [
  {
    name: "init",
    aliases: [],
    group: "Project",
    summary: "write a commented script-packages.yaml",
    examples: [
      ["csp init", "ask what matters, then write the allowlist here"],
      ["csp init --yes", "write it with the defaults"],
      ["csp init --linker hoisted --minimum-release-age 3d", "write it with these settings"],
    ],
    mutates: true,
    load: async () => (await import("../commands/init.ts")).init,
  },
  {
    name: "explain",
    aliases: [],
    group: "Project",
    summary: "say what an error or warning code means, offline",
    examples: [
      ["csp explain CSP_LOCKFILE_OUTDATED", "one code"],
      ["csp explain", "all of them"],
      ["csp explain --json", "for programs"],
    ],
    mutates: false,
    load: async () => (await import("../commands/explain.ts")).explain,
  },
];
