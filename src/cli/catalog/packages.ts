/** The commands about packages. */
import type { CatalogEntry } from "./entry.ts";

export const packageCommands: readonly CatalogEntry[] = [
  {
    name: "add",
    aliases: [],
    group: "Packages",
    summary: "allow packages at exact versions, lock and install them",
    examples: [
      ["csp add leftpad@0.0.1", "exactly this version"],
      ["csp add lodash @acme/tools@^2", "the newest allowed, and the newest that the range admits"],
      ["csp add lodash4@npm:lodash@4.17.21", "under a name of your own"],
    ],
    mutates: true,
    load: async () => (await import("../commands/add.ts")).add,
  },
  {
    name: "remove",
    aliases: ["rm"],
    group: "Packages",
    summary: "take packages out of the allowlist, the lockfile and the tree",
    examples: [
      ["csp remove leftpad", "no script may import it any more"],
      ["csp remove leftpad lodash", "both or none"],
      ["csp remove leftpad --dry-run", "show what would change"],
    ],
    mutates: true,
    load: async () => (await import("../commands/remove.ts")).remove,
  },
  {
    name: "enable",
    aliases: [],
    group: "Packages",
    summary: "put disabled packages back into the tree",
    examples: [
      ["csp enable lodash", "scripts may import it again"],
      ["csp enable lodash --lockfile-only", "change the project, not this host"],
      ["csp enable lodash --dry-run", "show what would change"],
    ],
    mutates: true,
    load: async () => (await import("../commands/toggle.ts")).enable,
  },
  {
    name: "disable",
    aliases: [],
    group: "Packages",
    summary: "keep packages in the allowlist and out of the tree",
    examples: [
      ["csp disable lodash --because 'only for the old reports'", "with the reason for reviewers"],
      ["csp disable lodash --lockfile-only", "change the project, not this host"],
      ["csp disable lodash --dry-run", "show what would change"],
    ],
    mutates: true,
    load: async () => (await import("../commands/toggle.ts")).disable,
  },
  {
    name: "list",
    aliases: ["ls"],
    group: "Packages",
    summary: "show the allowlist with locked version, size and state",
    examples: [
      ["csp list", "what scripts may import"],
      ["csp list --all", "every package of the lockfile, with its depth"],
      ["csp list --json", "for programs"],
    ],
    mutates: false,
    load: async () => (await import("../commands/list.ts")).list,
  },
  {
    name: "lock",
    aliases: [],
    group: "Packages",
    summary: "write the lockfile that the allowlist means",
    examples: [
      ["csp lock", "resolve what is new or changed"],
      ["csp lock --check", "only compare; exit 3 where they differ"],
      ["csp lock --dry-run", "show what would change"],
    ],
    mutates: true,
    load: async () => (await import("../commands/lock.ts")).lock,
  },
];
