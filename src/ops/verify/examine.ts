/** Looking at a host: what was found, kept by where it came from, so that a part can be looked at again. */
import { CspError } from "../../core/errors.ts";
import type { Digest } from "../../core/integrity.ts";
import { forEachLimited } from "../../core/limiter.ts";
import type { LockfileHash } from "../../core/lockfile-hash.ts";
import { checkCurrent, checkJournal, checkLease, leftovers } from "../../tree/check-host.ts";
import type { PackageCheck, PackageCheckResult } from "../../tree/check-package.ts";
import { checkTree } from "../../tree/check-tree.ts";
import { hasTree } from "../../tree/current.ts";
import { createFindings, type Finding } from "../../tree/finding.ts";
import { listInstances } from "../../tree/inventory.ts";
import type { HostPaths } from "../../tree/layout.ts";
import { createPool, type Pool } from "../../tree/pool.ts";
import type { Context } from "../context.ts";
import { checksOf, currentScope, digestScope, readSpare, type Scope, wholeScope } from "./scope.ts";

export interface Examination {
  deep: boolean;
  /** The current tree; where `current` is damaged, the last one of the journal. */
  tree: LockfileHash | undefined;
  scope: Scope;
  /** Findings by `digest:…`, `tree:…`, `unknown:…`, `lease:…`, `journal` and `current`. */
  found: Map<string, readonly Finding[]>;
  checked: { trees: number; packages: number; blobs: number; files: number; bytes: number };
}

/** With fewer checks than this, workers cost more than they give. */
const workerThreshold = 12;
/** Most blobs of one batch, and their bytes together. */
const batchLength = 16;
const batchSize = 256 * 1024;
const assumedSize = 64 * 1024;

/** Looks at the current tree, or at everything. Throws CSP_NOT_INSTALLED where a host has nothing. */
export async function examine(ctx: Context, paths: HostPaths, deep: boolean): Promise<Examination> {
  // Workers start while the trees are read.
  const pool = openPool(ctx, listInstances(paths).length);
  try {
    return await examineWith(ctx, paths, deep, pool);
  } finally {
    pool.close();
  }
}

async function examineWith(ctx: Context, paths: HostPaths, deep: boolean, pool: Pool<"check">): Promise<Examination> {
  const journal = checkJournal(paths);
  const current = followCurrent(paths, journal.switchedTo);
  const tree = current.hash ?? journal.switchedTo.at(-1);
  const scope = deep ? wholeScope(ctx, paths, tree) : currentScope(ctx, paths, tree);
  if (scope.trees.size === 0 && scope.instances.size === 0) {
    throw new CspError("CSP_NOT_INSTALLED", {
      message: "this host has nothing to verify",
      details: [paths.root],
      hint: "run `csp install`",
    });
  }
  const found = new Map<string, readonly Finding[]>([
    ["current", current.findings],
    ["journal", journal.findings],
  ]);
  const leased = new Set([...(tree === undefined ? [] : [tree]), ...journal.switchedTo]);
  for (const [hash, facts] of scope.trees) {
    found.set(`tree:${hash}`, facts.findings);
    if (leased.has(hash)) found.set(`lease:${hash}`, checkLease(paths, hash));
  }
  for (const [id, findings] of scope.unknown) found.set(`unknown:${id}`, findings);
  const remarks = deep ? scope.remarks : leftovers(paths);
  const checks = checksOf(paths, scope);
  const checked = { trees: scope.trees.size, packages: scope.instances.size, blobs: checks.length, files: 0, bytes: 0 };
  for (const [digest, result] of await runChecks(ctx, pool, checks)) {
    found.set(`digest:${digest}`, result.findings);
    checked.files += result.files;
    checked.bytes += result.bytes;
  }
  return { deep, tree, scope: { ...scope, remarks }, found, checked };
}

/** Looks again at everything on this host that has one of these digests, in other trees, too. */
export async function examineDigests(
  ctx: Context,
  paths: HostPaths,
  known: Examination,
  digests: ReadonlySet<Digest>,
): Promise<void> {
  if (digests.size === 0) return;
  const scope = digestScope(ctx, paths, digests);
  for (const [hash, facts] of scope.trees) if (!known.scope.trees.has(hash)) known.scope.trees.set(hash, facts);
  for (const [id, instance] of scope.instances) known.scope.instances.set(id, instance);
  // What is not here any more has nothing wrong with it.
  for (const digest of digests) known.found.delete(`digest:${digest}`);
  const checks = checksOf(paths, scope);
  const pool = openPool(ctx, checks.length);
  try {
    for (const [digest, { findings }] of await runChecks(ctx, pool, checks)) {
      known.found.set(`digest:${digest}`, findings);
    }
  } finally {
    pool.close();
  }
}

/** Looks again at what is no package: the trees named, and the rest of the host. */
export function examineRest(ctx: Context, paths: HostPaths, known: Examination, trees: ReadonlySet<string>): void {
  const journal = checkJournal(paths);
  known.found.set("journal", journal.findings);
  known.found.set("current", followCurrent(paths, journal.switchedTo).findings);
  for (const key of known.found.keys()) {
    const [kind, id = ""] = key.split(":", 2);
    if (kind === "lease") known.found.set(key, checkLease(paths, id));
    if (kind !== "tree" || !trees.has(id)) continue;
    const facts = checkTree(paths, id, ctx.platform, readSpare(ctx));
    known.scope.trees.set(id, facts);
    known.found.set(key, facts.findings);
  }
}

/** `current`, which may name a tree that never was: the journal comes before every switch. */
function followCurrent(paths: HostPaths, switchedTo: readonly LockfileHash[]): ReturnType<typeof checkCurrent> {
  const current = checkCurrent(paths);
  const { hash } = current;
  if (hash === undefined || switchedTo.length === 0 || switchedTo.includes(hash) || hasTree(paths, hash))
    return current;
  const findings = createFindings(paths.root);
  const message = "leads to a tree that is not there and never was";
  findings.add("corrupt", { type: "current", id: "" }, paths.current, "target", message);
  return { hash: undefined, findings: findings.list };
}

/** All findings, in byte order of their paths. */
export function allFindings(examination: Examination): Finding[] {
  const order = (a: Finding, b: Finding): number => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0);
  return [...examination.found.values()].flat().sort(order);
}

function openPool(ctx: Context, checks: number): Pool<"check"> {
  return createPool("check", checks < workerThreshold ? 0 : ctx.cores);
}

async function runChecks(
  ctx: Context,
  pool: Pool<"check">,
  checks: readonly PackageCheck[],
): Promise<Map<Digest, PackageCheckResult>> {
  const results = new Map<Digest, PackageCheckResult>();
  let bytes = 0;
  await forEachLimited(inBatches(checks), ctx.cores * 2, async (batch) => {
    ctx.signal.throwIfAborted();
    for (const [i, result] of (await pool.run(batch)).entries()) {
      results.set((batch[i] as PackageCheck).digest, result);
      bytes += result.bytes;
    }
    ctx.progress({ phase: "check", done: results.size, total: checks.length, bytes, totalBytes: 0 });
  });
  return results;
}

/** Small packages together: a message to a worker takes as long as checking one. The largest come first, alone. */
function inBatches(checks: readonly PackageCheck[]): PackageCheck[][] {
  const batches: PackageCheck[][] = [];
  let weight = Number.POSITIVE_INFINITY;
  for (const check of checks) {
    weight += check.size ?? assumedSize;
    if (weight > batchSize || (batches.at(-1)?.length ?? 0) >= batchLength) {
      batches.push([]);
      weight = check.size ?? assumedSize;
    }
    batches.at(-1)?.push(check);
  }
  return batches;
}
