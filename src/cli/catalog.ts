/** All commands: what the short help lists, and where each is loaded from. */
import type { CommandModule } from "./command.ts";

export interface CatalogEntry {
  name: string;
  aliases: readonly string[];
  group: "Packages" | "This host" | "Scripts" | "Project";
  summary: string;
  examples: readonly (readonly [command: string, meaning: string])[];
  /** Changes files: takes `--dry-run`. */
  mutates: boolean;
  /** Left out of lists. */
  hidden?: boolean;
  // biome-ignore lint/suspicious/noExplicitAny: each command knows its own options
  load: () => Promise<CommandModule<any>>;
}

export const catalog: readonly CatalogEntry[] = [
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
    load: async () => (await import("./commands/init.ts")).init,
  },
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
    load: async () => (await import("./commands/add.ts")).add,
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
    load: async () => (await import("./commands/remove.ts")).remove,
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
    load: async () => (await import("./commands/toggle.ts")).enable,
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
    load: async () => (await import("./commands/toggle.ts")).disable,
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
    load: async () => (await import("./commands/list.ts")).list,
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
    load: async () => (await import("./commands/lock.ts")).lock,
  },
  {
    name: "install",
    aliases: ["i", "ci"],
    group: "This host",
    summary: "bring this host to the lockfile",
    examples: [
      ["csp install", "lock if needed, fetch what is missing, switch"],
      ["csp install --frozen-lockfile", "in CI: exit 3 where the lockfile does not match"],
      ["csp install --offline", "from what is on this host alone"],
    ],
    mutates: true,
    load: async () => (await import("./commands/install.ts")).install,
  },
  {
    name: "status",
    aliases: [],
    group: "This host",
    summary: "show whether this host has what the project wants",
    examples: [
      ["csp status", "none, ready or not ready, and what to do"],
      ["csp status --exit-code", "0 ready, 1 not ready, 6 none"],
      ["csp status --json", "for monitoring"],
    ],
    mutates: false,
    load: async () => (await import("./commands/status.ts")).status,
  },
  {
    name: "history",
    aliases: [],
    group: "This host",
    summary: "show every switch: when, from, to, command, by whom, why",
    examples: [
      ["csp history", "newest first"],
      ["csp history -n 5", "the newest five"],
      ["csp history --json", "with whole hashes, for programs"],
    ],
    mutates: false,
    load: async () => (await import("./commands/history.ts")).history,
  },
  {
    name: "rollback",
    aliases: [],
    group: "This host",
    summary: "go back to an earlier tree at once, offline, and hold what was left",
    examples: [
      ["csp rollback --reason 'checks time out since 14:00'", "to the tree before this one"],
      ["csp rollback -n 2", "two switches back"],
      ["csp rollback 3f9a1c --dry-run", "what going to that tree would do"],
    ],
    mutates: true,
    load: async () => (await import("./commands/rollback.ts")).rollback,
  },
  {
    name: "resume",
    aliases: [],
    group: "This host",
    summary: "end the holds of rollbacks",
    examples: [
      ["csp resume", "automatic syncs may install again what was left"],
      ["csp resume --reason 'fixed upstream'", "with the reason for the journal"],
      ["csp resume --dry-run", "show what is held"],
    ],
    mutates: true,
    load: async () => (await import("./commands/resume.ts")).resume,
  },
  {
    name: "use",
    aliases: [],
    group: "This host",
    summary: "switch to any tree that is on this host",
    examples: [
      ["csp use 3f9a1c", "by the beginning of its hash"],
      ["csp use 3f9a1c --reason 'compare with last week'", "with the reason for the journal"],
      ["csp use 3f9a1c --dry-run", "show what would change"],
    ],
    mutates: true,
    load: async () => (await import("./commands/use.ts")).use,
  },
  {
    name: "pin",
    aliases: [],
    group: "This host",
    summary: "keep a tree: gc never removes it",
    examples: [
      ["csp pin 3f9a1c --reason 'release 2026.4'", "with the reason for those who wonder"],
      ["csp pin $(csp root --json | jq -r .data.hash)", "the current tree"],
      ["csp status", "see what is pinned"],
    ],
    mutates: true,
    load: async () => (await import("./commands/pin.ts")).pin,
  },
  {
    name: "unpin",
    aliases: [],
    group: "This host",
    summary: "let gc remove a pinned tree again",
    examples: [
      ["csp unpin 3f9a1c", "by the beginning of its hash"],
      ["csp unpin 3f9a1c --dry-run", "show what would change"],
      ["csp gc --dry-run --verbose", "see what keeps it otherwise"],
    ],
    mutates: true,
    load: async () => (await import("./commands/pin.ts")).unpin,
  },
  {
    name: "gc",
    aliases: [],
    group: "This host",
    summary: "remove retired trees and what nothing refers to",
    examples: [
      ["csp gc --dry-run --verbose", "what would go, and why the rest stays"],
      ["csp gc --keep 3", "keep the three trees before the current one"],
      ["csp gc --max-size 2GB", "only until everything fits, oldest first"],
    ],
    mutates: true,
    load: async () => (await import("./commands/gc.ts")).gc,
  },
  {
    name: "verify",
    aliases: [],
    group: "This host",
    summary: "prove that what is on this host is what was locked; repair it",
    examples: [
      ["csp verify", "compare the current tree with its blobs, byte by byte"],
      ["csp verify --deep --json", "all trees, packages and blobs, for monitoring"],
      ["csp verify --repair", "restore what is damaged, under running scripts"],
    ],
    mutates: true,
    load: async () => (await import("./commands/verify.ts")).verify,
  },
  {
    name: "root",
    aliases: [],
    group: "This host",
    summary: "print the real path of the current tree's node_modules",
    examples: [
      ["csp root", "the path"],
      ["NODE_PATH=$(csp root) node script.cjs", "for programs that start scripts themselves"],
      ["csp root --json", "with the tree's hash"],
    ],
    mutates: false,
    load: async () => (await import("./commands/root.ts")).root,
  },
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
    load: async () => (await import("./commands/run.ts")).run,
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
    load: async () => (await import("./commands/exec.ts")).exec,
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
    load: async () => (await import("./commands/explain.ts")).explain,
  },
  {
    name: "internal",
    aliases: [],
    group: "Scripts",
    summary: "answers for the programs that csp starts",
    examples: [],
    mutates: false,
    hidden: true,
    load: async () => (await import("./commands/internal.ts")).internal,
  },
];

/** The entry of a name or an alias. */
export function findCommand(name: string): CatalogEntry | undefined {
  return catalog.find((entry) => entry.name === name || entry.aliases.includes(name));
}
