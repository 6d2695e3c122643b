/** The commands about stores: publishing, syncing, and what a store offers. */
import type { CatalogEntry } from "./entry.ts";

export const storeCommands: readonly CatalogEntry[] = [
  {
    name: "publish",
    aliases: [],
    group: "Stores",
    summary: "upload the lockfile and its blobs, and point a channel at it",
    examples: [
      ["csp publish", "to the channel stable of the allowlist's store"],
      ["csp publish --channel canary --reason 'new probes'", "for some hosts first"],
      ["csp publish --dry-run", "what would be uploaded"],
    ],
    mutates: true,
    load: async () => (await import("../commands/publish.ts")).publish,
  },
  {
    name: "sync",
    aliases: [],
    group: "Stores",
    summary: "bring this host to what a channel points at, from the store alone",
    examples: [
      ["csp sync --store https://csp.example.com/", "needs no allowlist and no registry"],
      ["csp sync --check", "exit 0 in step, 6 behind"],
      ["csp sync --watch", "go on as a service"],
    ],
    mutates: true,
    load: async () => (await import("../commands/sync.ts")).sync,
  },
  {
    name: "channels",
    aliases: [],
    group: "Stores",
    summary: "show the channels of a store and where they point",
    examples: [
      ["csp channels", "each with its present release"],
      ["csp channels --verbose", "with the releases before"],
      ["csp channels --json", "for programs"],
    ],
    mutates: false,
    load: async () => (await import("../commands/channels.ts")).channels,
  },
  {
    name: "releases",
    aliases: [],
    group: "Stores",
    summary: "show the releases of a store",
    examples: [
      ["csp releases", "newest first"],
      ["csp releases --store file:/srv/csp", "of another store"],
      ["csp releases --json", "with whole hashes, for programs"],
    ],
    mutates: false,
    load: async () => (await import("../commands/releases.ts")).releases,
  },
  {
    name: "promote",
    aliases: [],
    group: "Stores",
    summary: "point a channel at a release, or at what another channel points at",
    examples: [
      ["csp promote canary stable", "what canary has, for everybody"],
      ["csp promote 3f9a1c stable --reason 'checks time out'", "back to an earlier release"],
      ["csp promote canary stable --dry-run", "show what would change"],
    ],
    mutates: true,
    load: async () => (await import("../commands/channels.ts")).promote,
  },
  {
    name: "release",
    aliases: [],
    group: "Stores",
    summary: "pin a release, so that no collection of the store removes it",
    examples: [
      ["csp release pin 3f9a1c --reason 'audit 2026'", "keep it however old it gets"],
      ["csp release unpin 3f9a1c", "let collections judge it by its age again"],
      ["csp releases", "see what is pinned"],
    ],
    mutates: true,
    load: async () => (await import("../commands/releases.ts")).release,
  },
];
