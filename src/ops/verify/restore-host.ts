/** Mending what is neither blob nor package nor tree: leases, `current`, the journal. */
import { chmodSync } from "node:fs";
import type { LockfileHash } from "../../core/lockfile-hash.ts";
import { syncDirectory } from "../../fs/durable.ts";
import { createLockFile } from "../../fs/lock.ts";
import { checkJournal } from "../../tree/check-host.ts";
import { lookAt } from "../../tree/check-walk.ts";
import { hasTree, readCurrent } from "../../tree/current.ts";
import { appendJournal } from "../../tree/journal.ts";
import { type HostPaths, leasePath } from "../../tree/layout.ts";
import { quarantine } from "../../tree/quarantine.ts";
import type { Context } from "../context.ts";
import { entryOf, moveCurrent, underSwitchLock } from "../switch.ts";

/** What was done: where the damaged thing is now, if it was set aside; or why nothing could be done. */
export type Mended = { quarantine: string | undefined } | { why: string };

/** A lease that everybody can take. One that is a file stays the same file: scripts may hold it. */
export function mendLease(paths: HostPaths, hash: LockfileHash): Mended {
  const path = leasePath(paths, hash);
  const type = lookAt(path);
  if (type === "file") {
    chmodSync(path, 0o644);
    return { quarantine: undefined };
  }
  const aside = type === undefined ? undefined : quarantine(paths, path, `lease-${hash}`);
  createLockFile(path, 0o644);
  syncDirectory(paths.leases);
  return { quarantine: aside };
}

/**
 * Points `current` at what the last switch led to or came from: both are states that this host was meant to be in. A
 * hash that `current` names keeps the first word: it is only left where the journal never heard of it.
 */
export function mendCurrent(ctx: Context, paths: HostPaths, reason: string | undefined): Promise<Mended> {
  return underSwitchLock(ctx, (): Mended => {
    const named = readCurrent(paths);
    if (named !== undefined && hasTree(paths, named)) return { quarantine: undefined };
    const { switchedTo, lastFrom } = checkJournal(paths);
    if (named !== undefined && switchedTo.includes(named)) {
      return { why: "its tree cannot be restored; go to another one with `csp rollback`" };
    }
    const target = [switchedTo.at(-1), lastFrom].find((hash) => hash !== undefined && hasTree(paths, hash));
    if (target === undefined) return { why: "the journal names no tree that is here; run `csp install`" };
    const type = lookAt(paths.current);
    const aside = type === undefined || type === "link" ? undefined : quarantine(paths, paths.current, "current");
    moveCurrent(ctx, paths, target, { kind: "use", reason: reason ?? "repaired" });
    return { quarantine: aside };
  });
}

/** Takes note in the journal that entries before are lost, so that later ones can be relied on. */
export function mendJournal(ctx: Context, paths: HostPaths, reason: string | undefined): Promise<Mended> {
  return underSwitchLock(ctx, (): Mended => {
    const current = readCurrent(paths);
    if (current === undefined) return { why: "there is no current tree to begin anew with" };
    const type = lookAt(paths.journal);
    const aside = type === undefined || type === "file" ? undefined : quarantine(paths, paths.journal, "journal");
    appendJournal(paths, entryOf(ctx, current, current, { kind: "mended", reason: reason ?? "repaired" }));
    return { quarantine: aside };
  });
}
