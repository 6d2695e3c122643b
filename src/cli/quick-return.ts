/**
 * `csp install` of a lockfile that this host had before, without the program around it. What does not succeed at once, a
 * busy lock included, is left to the program, which says why.
 */

import { holdOn } from "../ops/hold.ts";
import { underInstallLock } from "../ops/host-locks.ts";
import { mayCollect } from "../ops/may-collect.ts";
import { returnToKnownTree } from "../ops/return.ts";
import type { SwitchContext } from "../ops/switch.ts";
import type { KnownTree, Surroundings } from "../ops/up-to-date.ts";
import { whoIs } from "./who.ts";

/** Makes the known tree current; undefined where that is left to the program, else what is to be done afterwards. */
export async function returnQuickly(
  surroundings: Surroundings,
  { description }: KnownTree,
): Promise<(() => Promise<void>) | undefined> {
  const ctx: SwitchContext & Surroundings = {
    ...surroundings,
    who: whoIs(process.env),
    command: "csp install",
    lockTimeoutMs: 0,
    now: Date.now,
    signal: new AbortController().signal,
    waiting: () => {},
  };
  // Ending a hold is worth a remark.
  if (holdOn(ctx, description.hash) !== undefined) return undefined;
  process.umask(0o022);
  try {
    const known = await underInstallLock(ctx, () => returnToKnownTree(ctx, undefined));
    if (known === undefined) return undefined;
    const switched = known.from !== known.description.hash;
    if (!switched || !mayCollect(ctx.project)) return async () => {};
  } catch {
    return undefined;
  }
  return async () => (await import("./after-switch.ts")).afterQuickSwitch(ctx);
}
