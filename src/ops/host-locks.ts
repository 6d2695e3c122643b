/** Everything that changes a host's trees does it under the same two locks. */
import { existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { replaceFile, syncDirectory } from "../fs/durable.ts";
import { acquireLock } from "../fs/lock.ts";
import { probeLocks } from "../fs/lock-probe.ts";
import { removeStaleScratch } from "../fs/scratch.ts";
import { type HostPaths, hostPaths } from "../tree/layout.ts";
import type { SwitchContext } from "./switch.ts";

/**
 * Runs `body` with the install lock (one installer at a time) and a share of the gc lock (no collector meanwhile).
 * Creates the data directory; leftovers of dead installers are removed first. Throws CSP_LOCK_TIMEOUT, CSP_READ_ONLY or
 * CSP_LOCKS_UNSUPPORTED.
 */
export async function underInstallLock<T>(ctx: SwitchContext, body: () => Promise<T>): Promise<T> {
  const paths = openDataRoot(ctx);
  const request = { purpose: ctx.command, now: ctx.now, wait: { timeoutMs: ctx.lockTimeoutMs }, signal: ctx.signal };
  const install = await acquireLock(paths.installLock, { ...request, mode: "exclusive", onWait: ctx.waiting });
  try {
    const gc = await acquireLock(paths.gcLock, { ...request, mode: "shared", onWait: ctx.waiting });
    try {
      removeStaleScratch(paths.tmp);
      return await body();
    } finally {
      gc.release();
    }
  } finally {
    install.release();
  }
}

/** Creates what is missing of a data directory, durably, and checks once that its file system has working locks. */
function openDataRoot(ctx: SwitchContext): HostPaths {
  const paths = hostPaths(ctx.dataRoot);
  const folders = [paths.locks, paths.cache, paths.packages, paths.trees, paths.leases, paths.tmp];
  const made = folders.flatMap((folder) => mkdirSync(folder, { recursive: true, mode: 0o755 }) ?? []);
  const synced = made.flatMap((each) => [dirname(each), each]);
  // Nothing in here belongs into version control. Written last: without it, whoever began this did not get to its end.
  const ignore = join(paths.root, ".gitignore");
  const isOpen = existsSync(ignore);
  if (!isOpen) {
    probeLocks(paths.tmp);
    synced.push(dirname(paths.root), ...folders.flatMap((each) => [dirname(each), each]));
  }
  for (const folder of new Set(synced)) syncDirectory(folder);
  if (!isOpen) replaceFile(ignore, "*\n", { mode: 0o644, stagingDirectory: paths.tmp });
  return paths;
}
