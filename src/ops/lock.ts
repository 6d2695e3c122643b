/** Allowlist to lockfile: kept where it still says what the allowlist asks for, else resolved anew. */
import type { Allowlist } from "../core/allowlist.ts";
import { emptyLockfile, type Lockfile } from "../core/lockfile.ts";
import { diffLockfiles, type PackageChange } from "../core/lockfile-diff.ts";
import { compareToAllowlist, rootsOf } from "../core/lockfile-match.ts";
import { formatLockfile } from "../core/lockfile-text.ts";
import type { Context } from "./context.ts";
import type { FileEdit, ReadLockfile } from "./project.ts";

export interface LockPlan {
  lockfile: Lockfile;
  text: string;
  /** The lockfile's own edit; `before` equals `after` where nothing changes. */
  edit: FileEdit;
  changes: PackageChange[];
}

/**
 * Plans the lockfile of an allowlist, changing no more than needed. A lockfile that already says what the allowlist
 * asks for is kept without running bun or asking the registry; `canonical` lays it out anew. Writes nothing.
 */
export async function planLock(
  ctx: Context,
  allowlist: Allowlist,
  before: ReadLockfile | undefined,
  options: { canonical: boolean } = { canonical: false },
): Promise<LockPlan> {
  const finish = (lockfile: Lockfile): LockPlan => {
    const text = formatLockfile(lockfile);
    const edit = { path: ctx.project.lockfile, before: before?.text, after: text };
    return { lockfile, text, edit, changes: diffLockfiles(before?.lockfile, lockfile) };
  };
  const roots = rootsOf(allowlist);
  if (Object.keys(roots.dependencies).length + Object.keys(roots.optionalDependencies).length === 0) {
    return finish(emptyLockfile(allowlist.linker));
  }
  if (before !== undefined && isSettled(allowlist, before.lockfile)) {
    if (!options.canonical && before.lockfile.linker === allowlist.linker) return keep(ctx, before);
    return finish({ ...before.lockfile, linker: allowlist.linker });
  }
  const { resolveLockfile } = await import("./lock-resolve.ts");
  return finish(await resolveLockfile(ctx, allowlist, before));
}

/** The lockfile as it stands, also where it is not laid out as csp would. */
function keep(ctx: Context, { text, lockfile }: ReadLockfile): LockPlan {
  return { lockfile, text, edit: { path: ctx.project.lockfile, before: text, after: text }, changes: [] };
}

/** True where resolving again could not change anything. */
function isSettled(allowlist: Allowlist, lockfile: Lockfile): boolean {
  return (
    lockfile.foreign.length === 0 &&
    compareToAllowlist(allowlist, lockfile).every((difference) => difference.name === "") &&
    [...lockfile.packages.values()].every((pkg) => pkg.integrity.kind === "strong" && pkg.url === "")
  );
}
