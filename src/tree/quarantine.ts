/** Putting a good thing in a damaged one's place. What was there is kept aside; only the collector takes it. */
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { syncDirectory } from "../fs/durable.ts";
import { exchangeDirectories, moveDirectory, publishDirectory } from "../fs/publish.ts";
import { lookAt } from "./check-walk.ts";
import type { HostPaths } from "./layout.ts";

/**
 * Gives something staged (a file or a folder, synced) its final name, in one step, durably. Who has files open in what
 * was there keeps them. Returns where that is now; undefined where nothing was there.
 */
export function swapIn(paths: HostPaths, staged: string, final: string, name: string): string | undefined {
  if (lookAt(final) === undefined && publishDirectory(staged, final) === "published") {
    syncDirectory(dirname(final));
    return undefined;
  }
  // By way of the quarantine: after the exchange the damaged one is where it belongs, whatever happens next.
  const aside = setAside(paths, staged, name);
  if (!exchangeDirectories(aside, final)) {
    const other = setAside(paths, final, name);
    moveDirectory(aside, final);
    return finished(paths, final, other);
  }
  return finished(paths, final, aside);
}

/** Takes something out of its place into the quarantine, durably; returns where it is. */
export function quarantine(paths: HostPaths, path: string, name: string): string {
  return finished(paths, path, setAside(paths, path, name));
}

function setAside(paths: HostPaths, path: string, name: string): string {
  if (mkdirSync(paths.quarantine, { recursive: true, mode: 0o755 }) !== undefined) syncDirectory(paths.root);
  for (let n = 1; ; n++) {
    const aside = join(paths.quarantine, `${name}-${n}`);
    if (publishDirectory(path, aside) === "published") return aside;
  }
}

function finished(paths: HostPaths, final: string, aside: string): string {
  syncDirectory(paths.quarantine);
  syncDirectory(dirname(final));
  return aside;
}
