/** Changing the allowlist: what add, remove, enable and disable have in common. */
import { type Allowlist, parseAllowlist } from "../core/allowlist.ts";
import { type Edit, editAllowlist } from "../core/allowlist-edit.ts";
import type { Context } from "./context.ts";
import { applyInstall, type InstallOutcome, type InstallPlan, planInstall } from "./install.ts";
import { type LockPlan, planLock } from "./lock.ts";
import { applyEdits, type FileEdit, fileNames, readAllowlist, readLockfile } from "./project.ts";

export interface EditPlan {
  allowlist: Allowlist;
  /** The allowlist's own edit; `before` equals `after` where nothing changes. */
  edit: FileEdit;
  lock: LockPlan;
  /** Undefined where only the project's files change. */
  install: InstallPlan | undefined;
}

/** Plans edits of the allowlist together with the lockfile and, unless `lockfileOnly`, this host's tree. */
export async function planEdits(
  ctx: Context,
  edits: readonly Edit[],
  options: { lockfileOnly: boolean },
): Promise<EditPlan> {
  const { text } = readAllowlist(ctx.project);
  const file = fileNames(ctx).allowlist;
  const after = editAllowlist(text, edits, file);
  const allowlist = parseAllowlist(after, file);
  const edit = { path: ctx.project.allowlist, before: text, after };
  const before = readLockfile(ctx.project);
  if (options.lockfileOnly)
    return { allowlist, edit, lock: await planLock(ctx, allowlist, before), install: undefined };
  const install = await planInstall(ctx, { text: after, allowlist, locked: before });
  return { allowlist, edit, lock: install.lock, install };
}

/** Writes allowlist and lockfile and switches the host, all or nothing; the caller holds the install lock. */
export async function applyEditPlan(
  ctx: Context,
  plan: EditPlan,
  options: { reason: string | undefined },
): Promise<InstallOutcome | undefined> {
  if (plan.install !== undefined) {
    return applyInstall(ctx, plan.install, { reason: options.reason, edits: [plan.edit] });
  }
  applyEdits([plan.lock.edit, plan.edit]);
  return undefined;
}
