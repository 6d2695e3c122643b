/** Collecting by itself after a switch, where the allowlist says `gc: { auto: true }`. */
import { isCspError } from "../core/errors.ts";
import type { Context } from "./context.ts";
import { applyGc, type GcContext, type GcOutcome } from "./gc/apply.ts";
import { mayCollect } from "./may-collect.ts";
import { readAllowlist } from "./project.ts";

export type CollectContext = GcContext & Pick<Context, "warn">;

/**
 * Collects as `csp gc` does, if the allowlist asks for it; undefined where nothing was done. Called when the switch is
 * done and its locks are given back. Never waits: where the gc lock is taken, the next switch collects. Throws nothing
 * but the signal's reason; whatever fails is a warning.
 */
export async function collectAfterSwitch(ctx: CollectContext): Promise<GcOutcome | undefined> {
  try {
    if (!mayCollect(ctx.project) || !readAllowlist(ctx.project).allowlist.gc.auto) return undefined;
    const all = { trees: true, blobs: true, leftovers: true, limits: {}, maxSize: undefined, explain: false };
    const outcome = await applyGc({ ...ctx, lockTimeoutMs: 0 }, all);
    const [first, ...rest] = outcome.failed;
    if (first !== undefined) warn(ctx, `${first.error.message}${rest.length > 0 ? `, and ${rest.length} more` : ""}`);
    return outcome;
  } catch (error) {
    ctx.signal.throwIfAborted();
    if (!isCspError(error, "CSP_LOCK_TIMEOUT")) warn(ctx, error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

function warn(ctx: CollectContext, why: string): void {
  ctx.warn({
    code: "CSP_WARN_GC_AUTO",
    message: `the switch is done, but collecting after it was not: ${why}`,
    hint: "run `csp gc`",
  });
}
