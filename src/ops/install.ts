/** Bringing this host to the project's lockfile. */
import { CspError } from "../core/errors.ts";
import { requireMatch, requireOwnRegistry, requireStrong } from "../core/lockfile-match.ts";
import { platformName } from "../core/platform.ts";
import { hasTree, readCurrent } from "../tree/current.ts";
import { hostPaths } from "../tree/layout.ts";
import { readStamp, type Stamp, stampHash, writeStamp } from "../tree/stamp.ts";
import { missingInstances, readTree } from "../tree/tree.ts";
import type { Context } from "./context.ts";
import { applyHost, type HostOutcome } from "./host-apply.ts";
import { type HostPlan, planHost } from "./host-plan.ts";
import { type LockPlan, planLock } from "./lock.ts";
import {
  type FileEdit,
  fileNames,
  type ReadAllowlist,
  type ReadLockfile,
  readAllowlist,
  readLockfile,
  readText,
} from "./project.ts";
import { openRegistry, type Registry } from "./registry.ts";

export interface InstallOptions {
  /** Refuse to write a lockfile. */
  frozen: boolean;
}

export interface InstallPlan {
  project: ReadAllowlist;
  lock: LockPlan;
  host: HostPlan;
}

export interface InstallOutcome extends HostOutcome {
  plan: InstallPlan;
}

/**
 * The quick answer to "is there anything to do": the hash of the current tree where the project's files are the very
 * bytes that led to it and all of it is still there; undefined where that takes a closer look.
 */
export function isUpToDate(ctx: Context): { hash: string; roots: number } | undefined {
  const paths = hostPaths(ctx.dataRoot);
  const stamp = readStamp(paths);
  if (stamp === undefined || readCurrent(paths) !== stamp.tree) return undefined;
  const found = stampOf(ctx, readText(ctx.project.allowlist), readText(ctx.project.lockfile), stamp.tree);
  if (found.allowlist !== stamp.allowlist || found.lockfile !== stamp.lockfile || found.settings !== stamp.settings)
    return undefined;
  const tree = readTree(paths, stamp.tree);
  if (tree === undefined || missingInstances(paths, tree.instances).length > 0) return undefined;
  return { hash: stamp.tree, roots: tree.roots.length };
}

function stampOf(ctx: Context, allowlist: string | undefined, lockfile: string | undefined, tree: string): Stamp {
  return {
    allowlist: stampHash(allowlist ?? ""),
    lockfile: stampHash(lockfile ?? ""),
    settings: stampHash([ctx.version, platformName(ctx.platform), ctx.project.directory].join("\n")),
    tree,
  };
}

/** Reads the project as a frozen installation may: nothing is resolved, whatever is wrong is an error. */
export function readFrozen(ctx: Context): ReadAllowlist & { locked: ReadLockfile } {
  const names = fileNames(ctx);
  const project = readAllowlist(ctx.project);
  const locked = readLockfile(ctx.project);
  if (locked === undefined) {
    throw new CspError("CSP_LOCKFILE_MISSING", {
      message: `there is no ${names.lockfile}, and a frozen installation does not write one`,
      hint: "run `csp lock` and commit the result",
    });
  }
  requireMatch(project.allowlist, locked.lockfile, names);
  requireOwnRegistry(locked.lockfile, names.lockfile);
  requireStrong(locked.lockfile, names.lockfile);
  return { ...project, locked };
}

/** Plans an installation; resolves first where the lockfile may be written and does not match. */
export async function planInstall(ctx: Context, options: InstallOptions): Promise<InstallPlan> {
  const project = options.frozen ? readFrozen(ctx) : readAllowlist(ctx.project);
  const before = readLockfile(ctx.project);
  return planInstallOf(ctx, project, before);
}

/** Plans for an allowlist that is not written yet, or just read. */
export async function planInstallOf(
  ctx: Context,
  project: ReadAllowlist,
  before: ReadLockfile | undefined,
): Promise<InstallPlan> {
  const lock = await planLock(ctx, project.allowlist, before);
  return { project, lock, host: planHost(ctx, project.allowlist, lock.lockfile, lock.text) };
}

/** Applies the plan under the install lock, with further edits of the project's files in the same transaction. */
export async function applyInstall(
  ctx: Context,
  plan: InstallPlan,
  options: { reason: string | undefined; edits?: readonly FileEdit[] },
): Promise<InstallOutcome> {
  let registry: Registry | undefined;
  const open = (): Registry => {
    registry ??= openRegistry(ctx, plan.project.allowlist);
    return registry;
  };
  // The lockfile first: a crash in between leaves an allowlist that does not allow more than is locked.
  const edits = [plan.lock.edit, ...(options.edits ?? [])];
  const outcome = await applyHost(ctx, plan.host, open, edits, options.reason);
  for (const remark of plan.host.tree.installScripts.length > 0 && outcome.instances > 0
    ? [plan.host.tree.installScripts]
    : []) {
    ctx.warn({
      code: "CSP_WARN_INSTALL_SCRIPTS",
      message: `${remark.length === 1 ? "a package has an install script" : `${remark.length} packages have install scripts`}, which csp never runs: ${remark.join(", ")}`,
    });
  }
  const paths = hostPaths(ctx.dataRoot);
  if (hasTree(paths, outcome.hash)) {
    const allowlist = readText(ctx.project.allowlist);
    writeStamp(paths, stampOf(ctx, allowlist, readText(ctx.project.lockfile), outcome.hash));
  }
  return { ...outcome, plan };
}
