/** Moving `current`: the journal first, then the one rename. */
import { existsSync } from "node:fs";
import type { JournalEntry } from "../core/journal.ts";
import type { LockfileHash } from "../core/lockfile-hash.ts";
import { oneLine } from "../core/quote.ts";
import { syncDirectory } from "../fs/durable.ts";
import { acquireLock, createLockFile, type LockWaitRequest } from "../fs/lock.ts";
import { pointCurrentAt, readCurrent } from "../tree/current.ts";
import { appendJournal } from "../tree/journal.ts";
import { type HostPaths, hostPaths, leasePath } from "../tree/layout.ts";
import type { Context } from "./context.ts";

/** What changing a host's state takes of the context; little, so that switches need little loaded. */
export type SwitchContext = Pick<
  Context,
  "dataRoot" | "who" | "command" | "lockTimeoutMs" | "now" | "signal" | "waiting"
>;

/** What an entry says beside time, person and command. */
export type SwitchNote = Pick<JournalEntry, "kind" | "holds"> & { reason: string | undefined };

/** Switches to a tree that is there. A crash at any point leaves the old tree or the new one current. */
export async function switchTo(ctx: SwitchContext, to: LockfileHash, reason: string | undefined): Promise<void> {
  await underSwitchLock(ctx, (paths) => moveCurrent(ctx, paths, to, { reason }));
}

/** Runs `body` while nobody else switches. Throws CSP_LOCK_TIMEOUT. */
export async function underSwitchLock<T>(ctx: SwitchContext, body: (paths: HostPaths) => T): Promise<T> {
  const paths = hostPaths(ctx.dataRoot);
  const lock = await acquireLock(paths.switchLock, { ...lockRequest(ctx), mode: "exclusive" });
  try {
    return body(paths);
  } finally {
    lock.release();
  }
}

/**
 * Runs `body` while nothing is collected and nobody else switches. For hosts that have something: creates no data
 * directory. Waits for no installation. Throws CSP_LOCK_TIMEOUT or CSP_READ_ONLY.
 */
export async function onSteadyHost<T>(ctx: SwitchContext, body: (paths: HostPaths) => T): Promise<T> {
  const gc = await acquireLock(hostPaths(ctx.dataRoot).gcLock, { ...lockRequest(ctx), mode: "shared" });
  try {
    return await underSwitchLock(ctx, body);
  } finally {
    gc.release();
  }
}

/** Journal, then `current`; the caller holds the switch lock. Nothing where that tree is current already. */
export function moveCurrent(ctx: SwitchContext, paths: HostPaths, to: LockfileHash, note: SwitchNote): void {
  const from = readCurrent(paths) ?? null;
  if (from === to) return;
  if (!existsSync(leasePath(paths, to))) {
    createLockFile(leasePath(paths, to), 0o644);
    syncDirectory(paths.leases);
  }
  appendJournal(paths, entryOf(ctx, from, to, note));
  pointCurrentAt(paths, to);
}

/** The entry, dated and signed. */
export function entryOf(
  ctx: SwitchContext,
  from: LockfileHash | null,
  to: LockfileHash,
  { reason, ...rest }: SwitchNote,
): Omit<JournalEntry, "seq"> {
  const at = new Date(ctx.now()).toISOString();
  return {
    at,
    from,
    to,
    command: ctx.command,
    reason: reason === undefined ? null : oneLine(reason),
    by: ctx.who,
    ...rest,
  };
}

function lockRequest(ctx: SwitchContext): Omit<LockWaitRequest, "mode"> {
  const { command: purpose, now, lockTimeoutMs, waiting, signal } = ctx;
  return { purpose, now, wait: { timeoutMs: lockTimeoutMs }, onWait: waiting, signal };
}
