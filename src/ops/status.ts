import { isCspError } from "../core/errors.ts";
import { buildGraph } from "../core/graph.ts";
import type { JournalEntry } from "../core/journal.ts";
import { earlierTrees, isSwitch } from "../core/journal-story.ts";
import { type LockfileHash, lockfileHash } from "../core/lockfile-hash.ts";
import { compareToAllowlist } from "../core/lockfile-match.ts";
import { platformName } from "../core/platform.ts";
import { planTree } from "../core/tree-plan.ts";
import { readCurrent } from "../tree/current.ts";
import { missingInstances, readTree, type TreeDescription } from "../tree/description.ts";
import { readJournal } from "../tree/journal.ts";
import { hostPaths } from "../tree/layout.ts";
import { readSyncState, type SyncState } from "../tree/sync-state.ts";
import type { Context } from "./context.ts";
import { short } from "./current-tree.ts";
import { describeHold } from "./hold.ts";
import { type HostFacts, readHostFacts } from "./host-facts.ts";
import { readAllowlist, readLockfile } from "./project.ts";
import { findKnownTree } from "./up-to-date.ts";

/** The three answers of a host. */
export type HostState = "none" | "ready" | "not-ready";

export interface TreeStatus {
  hash: LockfileHash;
  linker: string;
  platform: string;
  packages: number;
  roots: number;
  /** Bytes of the tree's blobs. */
  bytes: number;
  /** ISO time and who, where the journal says it. */
  since: string | null;
  by: string | null;
  reason: string | null;
}

export interface Status extends HostFacts {
  state: HostState;
  /** Why the host is not ready; empty where it is. */
  drift: string[];
  /** The command that gets it ready; null where it is. */
  hint: string | null;
  desired: { hash: LockfileHash; packages: number } | null;
  current: TreeStatus | null;
  previous: LockfileHash | null;
  platform: string;
  /** What this host last saw of its store; null where it never synced. */
  store: Pick<SyncState, "address" | "channel" | "release" | "generation"> | null;
  project: { directory: string; allowlist: boolean; lockfile: boolean };
  dataDirectory: string;
}

/** Reads everything `csp status` shows; changes nothing. */
export function readStatus(ctx: Context): Status {
  const paths = hostPaths(ctx.dataRoot);
  const journal = readJournal(paths).entries;
  const hash = readCurrent(paths);
  const tree = hash === undefined ? undefined : readTree(paths, hash);
  const wish = readWish(ctx);
  const host = readHostFacts(ctx);
  const seen = readSyncState(paths);
  const base = {
    ...host,
    current: tree === undefined ? null : describeTree(tree, journal),
    previous: earlierTrees(journal, hash)[0] ?? null,
    platform: platformName(ctx.platform),
    project: { directory: ctx.project.directory, allowlist: wish.allowlist, lockfile: wish.lockfile },
    dataDirectory: ctx.dataRoot,
    desired: wish.desired,
    store: seen === undefined ? null : describeStore(seen),
  };
  if (hash === undefined) {
    const hint = wish.allowlist || wish.lockfile ? "csp install" : seen === undefined ? "csp init" : "csp sync";
    return { ...base, state: "none", drift: [...wish.problems, "this host has no current tree"], hint };
  }
  const drift = [...wish.problems];
  if (tree === undefined) drift.push(`the current tree ${short(hash)} is not there`);
  else {
    const missing = missingInstances(paths, tree.instances);
    if (missing.length > 0) drift.push(`${missing.length} of its ${tree.instances.length} packages are not there`);
    if (platformName(tree.platform) !== base.platform) drift.push(`it was built for ${platformName(tree.platform)}`);
  }
  // A host without a project wants what its channel pointed at when it last asked.
  const wanted = wish.lockfile || wish.allowlist ? wish.desired?.hash : seen?.release;
  const hold = host.held.find((each) => each.hash === wanted);
  if (wanted !== undefined && wanted !== hash) {
    const who = wish.lockfile ? "the lockfile" : `channel ${seen?.channel}`;
    const held = hold === undefined ? "" : `; the former is ${describeHold(hold)}`;
    drift.push(`${who} wants ${short(wanted)}, current is ${short(hash)}${held}`);
  }
  if (drift.length === 0) return { ...base, state: "ready", drift, hint: null };
  const install = wish.lockfile || wish.allowlist || seen === undefined ? "csp install" : "csp sync";
  const hint = wish.problems.length > 0 ? "csp lock" : hold === undefined ? install : "csp resume";
  return { ...base, state: "not-ready", drift, hint };
}

function describeStore({ address, channel, release, generation }: SyncState): NonNullable<Status["store"]> {
  return { address, channel, release, generation };
}

interface Wish {
  allowlist: boolean;
  lockfile: boolean;
  desired: Status["desired"];
  problems: string[];
}

/** What the project's files want; a project without files wants nothing, a host can live without one. */
function readWish(ctx: Context): Wish {
  const known = findKnownTree(ctx);
  if (known !== undefined) {
    const { hash, instances } = known.description;
    return { allowlist: true, lockfile: true, desired: { hash, packages: instances.length }, problems: [] };
  }
  let allowlist: ReturnType<typeof readAllowlist> | undefined;
  try {
    allowlist = readAllowlist(ctx.project);
  } catch (error) {
    if (!isCspError(error, "CSP_ALLOWLIST_MISSING")) throw error;
  }
  const locked = readLockfile(ctx.project);
  const problems: string[] = [];
  if (allowlist !== undefined && locked === undefined) problems.push("there is no lockfile");
  if (locked === undefined) return { allowlist: allowlist !== undefined, lockfile: false, desired: null, problems };
  if (allowlist !== undefined) {
    const differences = compareToAllowlist(allowlist.allowlist, locked.lockfile);
    problems.push(...differences.map((difference) => difference.text));
  }
  const plan = planTree(locked.lockfile, buildGraph(locked.lockfile, "the lockfile"), ctx.platform);
  const desired = { hash: lockfileHash(locked.lockfile), packages: plan.instances.length };
  return { allowlist: allowlist !== undefined, lockfile: true, desired, problems };
}

function describeTree(tree: TreeDescription, journal: readonly JournalEntry[]): TreeStatus {
  const entry = journal.findLast((each) => isSwitch(each) && each.to === tree.hash);
  return {
    hash: tree.hash,
    linker: tree.linker,
    platform: platformName(tree.platform),
    packages: tree.instances.length,
    roots: tree.roots.length,
    bytes: tree.blobBytes,
    since: entry?.at ?? null,
    by: entry?.by ?? null,
    reason: entry?.reason ?? null,
  };
}
