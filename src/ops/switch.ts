/** Moving `current`: the journal first, then the one rename. */
import { existsSync } from "node:fs";
import type { LockfileHash } from "../core/lockfile-hash.ts";
import { acquireLock, createLockFile } from "../fs/lock.ts";
import { pointCurrentAt, readCurrent } from "../tree/current.ts";
import { appendJournal } from "../tree/journal.ts";
import { hostPaths, leasePath } from "../tree/layout.ts";
import type { Context } from "./context.ts";

/** Switches to a tree that is there. A crash at any point leaves the old tree or the new one current. */
export async function switchTo(ctx: Context, to: LockfileHash, reason: string | undefined): Promise<void> {
  const paths = hostPaths(ctx.dataRoot);
  if (!existsSync(leasePath(paths, to))) createLockFile(leasePath(paths, to), 0o644);
  const lock = await acquireLock(paths.switchLock, {
    mode: "exclusive",
    purpose: ctx.command,
    now: ctx.now,
    wait: { timeoutMs: ctx.lockTimeoutMs },
    onWait: ctx.waiting,
    signal: ctx.signal,
  });
  try {
    const from = readCurrent(paths) ?? null;
    if (from === to) return;
    const at = new Date(ctx.now()).toISOString();
    appendJournal(paths, { at, from, to, command: ctx.command, reason: reason ?? null, by: ctx.who });
    pointCurrentAt(paths, to);
  } finally {
    lock.release();
  }
}
