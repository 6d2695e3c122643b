/** The allowlist beside what is locked and what is on this host; or the whole graph. */
import { buildGraph, depths } from "../core/graph.ts";
import { byteOrder } from "../core/location.ts";
import { fits } from "../core/platform.ts";
import { readCurrent } from "../tree/current.ts";
import { readTree } from "../tree/description.ts";
import { hostPaths } from "../tree/layout.ts";
import type { Context } from "./context.ts";
import { fileNames, readAllowlist, readLockfile } from "./project.ts";

/** Where an allowlist entry stands. */
export type EntryState =
  /** In the current tree, in this version. */
  | "installed"
  /** In the lockfile, not in the current tree. */
  | "locked"
  | "not-locked"
  | "disabled"
  /** In the lockfile, and left out on this host's platform. */
  | "other-platform";

export interface ListedEntry {
  name: string;
  /** The registry's name, where the entry is an alias. */
  package: string;
  version: string;
  /** The version in the lockfile. */
  locked: string | null;
  /** Bytes of the blob. */
  size: number | null;
  state: EntryState;
  optional: boolean;
  reason: string | null;
}

/** One entry of the allowlist each, in the file's order. */
export function listAllowlist(ctx: Context): ListedEntry[] {
  const { allowlist } = readAllowlist(ctx.project);
  const lockfile = readLockfile(ctx.project)?.lockfile;
  const paths = hostPaths(ctx.dataRoot);
  const current = readCurrent(paths);
  const tree = current === undefined ? undefined : readTree(paths, current);
  const installed = new Map(tree?.roots.map((root) => [root.name, root]));
  return [...allowlist.packages.values()].map((entry): ListedEntry => {
    const locked = entry.enabled ? lockfile?.packages.get(entry.key) : undefined;
    const root = installed.get(entry.key);
    const matches = locked?.name === entry.name && locked.version === entry.version;
    const state: EntryState = !entry.enabled
      ? "disabled"
      : !matches || locked === undefined
        ? "not-locked"
        : root?.version === entry.version && root.package === entry.name
          ? "installed"
          : fits(locked.limits, ctx.platform)
            ? "locked"
            : "other-platform";
    return {
      name: entry.key,
      package: entry.name,
      version: entry.version,
      locked: locked?.version ?? null,
      size: locked?.size ?? null,
      state,
      optional: entry.optional,
      reason: entry.reason ?? null,
    };
  });
}

export interface ListedPackage {
  name: string;
  version: string;
  /** 1 for what the allowlist names. */
  depth: number;
  size: number | null;
  /** False where no place of it fits this host's platform. */
  here: boolean;
  installScript: boolean;
}

/** Every package of the lockfile once, by name and version, with its least distance from the allowlist. */
export function listGraph(ctx: Context): ListedPackage[] {
  const lockfile = readLockfile(ctx.project)?.lockfile;
  if (lockfile === undefined) return [];
  const graph = buildGraph(lockfile, fileNames(ctx).lockfile);
  const result = new Map<string, ListedPackage>();
  for (const [node, depth] of depths(graph)) {
    const { pkg } = node;
    const id = `${pkg.name}@${pkg.version}`;
    const known = result.get(id);
    if (known === undefined || depth < known.depth) {
      result.set(id, {
        name: pkg.name,
        version: pkg.version,
        depth,
        size: pkg.size ?? null,
        here: fits(pkg.limits, ctx.platform),
        installScript: pkg.hasInstallScript,
      });
    }
  }
  return [...result.values()].sort((a, b) => byteOrder(a.name, b.name) || byteOrder(a.version, b.version));
}
