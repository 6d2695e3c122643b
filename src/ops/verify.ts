/** `csp verify`: proves that what is on this host is what was locked, and repairs what is not. */
import { existsSync } from "node:fs";
import { isCspError } from "../core/errors.ts";
import type { LockfileHash } from "../core/lockfile-hash.ts";
import { acquireLock, type Lock } from "../fs/lock.ts";
import { type Finding, isDamage } from "../tree/finding.ts";
import { type HostPaths, hostPaths } from "../tree/layout.ts";
import type { Context } from "./context.ts";
import { underInstallLock } from "./host-locks.ts";
import { allFindings, type Examination, examine } from "./verify/examine.ts";
import { applyRepair, type RepairOutcome, widen } from "./verify/repair.ts";
import { planRepair, type RepairPlan } from "./verify/repair-plan.ts";

/** `unchecked`: nothing is damaged as far as can be told, but not everything could be compared. */
export type VerifyResult = "sound" | "damaged" | "unchecked";

export interface Verification {
  result: VerifyResult;
  /** All trees, packages and blobs, or the current tree with its own. */
  deep: boolean;
  tree: LockfileHash | null;
  checked: Examination["checked"];
  /** In byte order of the paths. */
  findings: readonly Finding[];
  /** Leftovers and other things that are nobody's damage. */
  remarks: readonly string[];
}

export interface VerifyOptions {
  deep: boolean;
}

/** Looks, and changes nothing. Works without a lock where none can be taken: another user's or a read-only host. */
export async function verifyHost(ctx: Context, options: VerifyOptions): Promise<Verification> {
  const paths = hostPaths(ctx.dataRoot);
  return withoutCollector(ctx, paths, async (alone) => {
    return report(await examine(ctx, paths, options.deep), alone);
  });
}

/** What a repair would do. Changes nothing. */
export async function planHostRepair(
  ctx: Context,
  options: VerifyOptions,
): Promise<{ verification: Verification; plan: RepairPlan }> {
  const paths = hostPaths(ctx.dataRoot);
  return withoutCollector(ctx, paths, async (alone) => {
    const examination = await examine(ctx, paths, options.deep);
    await widen(ctx, paths, examination);
    const plan = planRepair(examination, { offline: ctx.offline, lost: new Map() });
    return { verification: report(examination, alone), plan };
  });
}

/**
 * Repairs a host under the install lock; scripts that run are not disturbed. `before` is what was found, `after` what is
 * left. Throws CSP_NOT_INSTALLED, CSP_LOCK_TIMEOUT, CSP_READ_ONLY, CSP_DISK_FULL, CSP_IO.
 */
export async function repairHost(
  ctx: Context,
  options: VerifyOptions & { reason: string | undefined },
): Promise<{ before: Verification; after: Verification; outcome: RepairOutcome }> {
  const paths = hostPaths(ctx.dataRoot);
  // Nothing is created where nothing is installed.
  if (!existsSync(paths.root)) await examine(ctx, paths, options.deep);
  return underInstallLock(ctx, async () => {
    const examination = await examine(ctx, paths, options.deep);
    await widen(ctx, paths, examination);
    const before = report(examination, false);
    const outcome = await applyRepair(ctx, paths, examination, options.reason);
    return { before, after: report(examination, false), outcome };
  });
}

function report(examination: Examination, alone: boolean): Verification {
  const findings = allFindings(examination);
  const remarks = [...examination.scope.remarks];
  if (alone) remarks.push("no lock kept the collector away; what it took meanwhile counts as missing");
  return {
    result: findings.some(isDamage) ? "damaged" : findings.length > 0 ? "unchecked" : "sound",
    deep: examination.deep,
    tree: examination.tree ?? null,
    checked: examination.checked,
    findings,
    remarks,
  };
}

/** Runs `body` with a share of the gc lock if it can be opened; `alone` says that it could not. Creates nothing. */
async function withoutCollector<T>(ctx: Context, paths: HostPaths, body: (alone: boolean) => Promise<T>): Promise<T> {
  const lock = await takeShare(ctx, paths);
  try {
    return await body(lock === undefined);
  } finally {
    lock?.release();
  }
}

async function takeShare(ctx: Context, paths: HostPaths): Promise<Lock | undefined> {
  if (!existsSync(paths.gcLock)) return undefined;
  try {
    return await acquireLock(paths.gcLock, {
      mode: "shared",
      purpose: ctx.command,
      now: ctx.now,
      wait: { timeoutMs: ctx.lockTimeoutMs },
      onWait: ctx.waiting,
      signal: ctx.signal,
    });
  } catch (error) {
    if (isCspError(error, "CSP_READ_ONLY") || isCspError(error, "CSP_LOCKS_UNSUPPORTED")) return undefined;
    throw error;
  }
}
