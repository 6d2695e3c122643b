/**
 * `csp install` of a lockfile that this host had before, without the program around it. What does not succeed at once, a
 * busy lock included, is left to the program, which says why.
 */
import { holdOn } from "../ops/hold.ts";
import { underInstallLock } from "../ops/host-locks.ts";
import { returnToKnownTree } from "../ops/return.ts";
import type { SwitchContext } from "../ops/switch.ts";
import type { KnownTree, Surroundings } from "../ops/up-to-date.ts";
import { whoIs } from "./who.ts";

/** True where the known tree is current now. */
export async function returnQuickly(surroundings: Surroundings, { description }: KnownTree): Promise<boolean> {
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
  if (holdOn(ctx, description.hash) !== undefined) return false;
  process.umask(0o022);
  try {
    return (await underInstallLock(ctx, () => returnToKnownTree(ctx, undefined))) !== undefined;
  } catch {
    return false;
  }
}
