/** Bringing this host to the project's lockfile. */
import { CspError } from "../core/errors.ts";
import { requireMatch, requireOwnRegistry, requireStrong } from "../core/lockfile-match.ts";
import { readTree } from "../tree/description.ts";
import { hostPaths } from "../tree/layout.ts";
import { writeStamp } from "../tree/stamp.ts";
import type { Context } from "./context.ts";
import { describeHold, holdOn } from "./hold.ts";
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
} from "./project.ts";
import { installSource } from "./source.ts";
import { readBytes } from "./text.ts";
import { stampKey } from "./up-to-date.ts";

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

export interface ReadProject extends ReadAllowlist {
  locked: ReadLockfile | undefined;
}

/**
 * Reads the project's files; what was `known` before is used again where it is still the same. A frozen installation
 * writes no lockfile, so whatever is wrong with it is an error.
 */
export function readProject(ctx: Context, options: InstallOptions, known?: ReadProject): ReadProject {
  const project = readAllowlist(ctx.project, known);
  const locked = readLockfile(ctx.project, known?.locked);
  if (options.frozen) requireFrozen(ctx, project, locked);
  return { ...project, locked };
}

function requireFrozen(ctx: Context, project: ReadAllowlist, locked: ReadLockfile | undefined): void {
  const names = fileNames(ctx);
  if (locked === undefined) {
    throw new CspError("CSP_LOCKFILE_MISSING", {
      message: `there is no ${names.lockfile}, and a frozen installation does not write one`,
      hint: "run `csp lock` and commit the result",
    });
  }
  requireMatch(project.allowlist, locked.lockfile, names);
  requireOwnRegistry(locked.lockfile, names.lockfile);
  requireStrong(locked.lockfile, names.lockfile);
}

/** Plans an installation; resolves first where the lockfile does not match, which a frozen project rules out. */
export async function planInstall(ctx: Context, project: ReadProject): Promise<InstallPlan> {
  const lock = await planLock(ctx, project.allowlist, project.locked);
  const host = planHost(ctx, project.allowlist, lock.lockfile, lock.text);
  if (host.switches) warnOfHold(ctx, host.tree.hash);
  return { project, lock, host };
}

/** Whoever installs insists, so a hold does not stop it; but it is said. */
export function warnOfHold(ctx: Context, hash: string): void {
  const hold = holdOn(ctx, hash);
  if (hold === undefined) return;
  ctx.warn({
    code: "CSP_WARN_HELD",
    message: `tree \`${hash.slice(0, 12)}\` is ${describeHold(hold)}; installing it ends that hold`,
    hint: "run `csp rollback` to go back again",
  });
}

/** Applies the plan under the install lock, with further edits of the project's files in the same transaction. */
export async function applyInstall(
  ctx: Context,
  plan: InstallPlan,
  options: { reason: string | undefined; edits?: readonly FileEdit[] },
): Promise<InstallOutcome> {
  const source = installSource(ctx, plan.project.allowlist, plan.host.tree.hash);
  // The lockfile first: a crash in between leaves an allowlist that does not allow more than is locked.
  const edits = [plan.lock.edit, ...(options.edits ?? [])];
  const outcome = await applyHost(ctx, plan.host, source, edits, options.reason);
  if (outcome.instances > 0) warnOfInstallScripts(ctx, plan.host.tree.installScripts);
  remember(ctx, outcome.hash);
  return { ...outcome, plan };
}

/** Keeps what the project's files led to, for the next time. */
function remember(ctx: Context, hash: string): void {
  const paths = hostPaths(ctx.dataRoot);
  const description = readTree(paths, hash);
  const allowlist = readBytes(ctx.project.allowlist);
  const lockfile = readBytes(ctx.project.lockfile);
  if (description === undefined || allowlist === undefined || lockfile === undefined) return;
  writeStamp(paths, stampKey(ctx, allowlist, lockfile), description);
}

/** Said once, when something was built: csp never runs them, and some packages do not work without. */
function warnOfInstallScripts(ctx: Context, packages: readonly string[]): void {
  if (packages.length === 0) return;
  const count =
    packages.length === 1 ? "a package has an install script" : `${packages.length} packages have install scripts`;
  ctx.warn({
    code: "CSP_WARN_INSTALL_SCRIPTS",
    message: `${count}, which csp never runs: ${packages.join(", ")}`,
  });
}
