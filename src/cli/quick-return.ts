/**
 * `csp install` of a lockfile that this host had before, without the program around it. What does not succeed at once, a
 * busy lock included, is left to the program, which says why; but after a device failed nothing is tried again.
 */
import { deviceFailure } from "../fs/os-error.ts";
import { holdOn } from "../ops/hold.ts";
import { underInstallLock } from "../ops/host-locks.ts";
import { mayCollect } from "../ops/may-collect.ts";
import { returnToKnownTree } from "../ops/return.ts";
import type { SwitchContext } from "../ops/switch.ts";
import type { KnownTree, Surroundings } from "../ops/up-to-date.ts";
import { untilSignal } from "./quick-signals.ts";
import { whoIs } from "./who.ts";

/** Makes the known tree current; false where that is left to the program. */
export function returnQuickly(surroundings: Surroundings, known: KnownTree): Promise<boolean> {
  return untilSignal((signal) => goBack(surroundings, known, signal));
}

async function goBack(surroundings: Surroundings, { description }: KnownTree, signal: AbortSignal): Promise<boolean> {
  const ctx: SwitchContext & Surroundings = {
    ...surroundings,
    who: whoIs(process.env),
    command: "csp install",
    lockTimeoutMs: 0,
    now: Date.now,
    signal,
    waiting: () => {},
  };
  // Ending a hold is worth a remark.
  if (holdOn(ctx, description.hash) !== undefined) return false;
  process.umask(0o022);
  let known: Awaited<ReturnType<typeof returnToKnownTree>>;
  try {
    known = await underInstallLock(ctx, () => returnToKnownTree(ctx, undefined));
  } catch (error) {
    const failure = deviceFailure(error);
    if (failure !== undefined) await (await import("./quick-failure.ts")).reportFailure(failure);
    return failure !== undefined;
  }
  if (known === undefined) return false;
  console.log(`current is now ${description.hash.slice(0, 12)}`);
  const switched = known.from !== known.description.hash;
  if (switched && mayCollect(ctx.project)) await (await import("./after-switch.ts")).afterQuickSwitch(ctx);
  return true;
}
