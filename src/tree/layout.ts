/** Every path under `<data dir>/script-packages`; nobody else joins them. A format change gets a new folder name. */
import { join } from "node:path";
import type { InstanceId } from "../core/closure.ts";
import type { Digest } from "../core/integrity.ts";
import type { LockfileHash } from "../core/lockfile-hash.ts";

export interface HostPaths {
  /** `<data dir>/script-packages`, absolute and free of symlinks. */
  root: string;
  cache: string;
  packages: string;
  trees: string;
  current: string;
  journal: string;
  stamps: string;
  installLock: string;
  gcLock: string;
  switchLock: string;
  locks: string;
  leases: string;
  pins: string;
  /** Since when the collector knows that a blob or tree is not needed. */
  gcNotes: string;
  /** What this host last saw of its store. */
  syncState: string;
  tmp: string;
  quarantine: string;
  runs: string;
}

/** The layout below one root. */
export function hostPaths(root: string): HostPaths {
  return {
    root,
    cache: join(root, "cache", "v1"),
    packages: join(root, "packages", "v1"),
    trees: join(root, "trees"),
    current: join(root, "current"),
    journal: join(root, "journal.jsonl"),
    stamps: join(root, "stamps"),
    locks: join(root, "locks"),
    installLock: join(root, "locks", "install"),
    gcLock: join(root, "locks", "gc"),
    switchLock: join(root, "locks", "switch"),
    leases: join(root, "leases"),
    pins: join(root, "pins"),
    gcNotes: join(root, "gc.json"),
    syncState: join(root, "sync.json"),
    tmp: join(root, "tmp"),
    quarantine: join(root, "quarantine"),
    runs: join(root, ".runs"),
  };
}

export function blobPath(paths: HostPaths, digest: Digest): string {
  return join(paths.cache, digest.slice(0, 2), digest);
}

export function instancePath(paths: HostPaths, id: InstanceId): string {
  return join(paths.packages, id);
}

export function treePath(paths: HostPaths, hash: LockfileHash): string {
  return join(paths.trees, hash);
}

export function leasePath(paths: HostPaths, hash: LockfileHash): string {
  return join(paths.leases, hash);
}

export function pinPath(paths: HostPaths, hash: LockfileHash): string {
  return join(paths.pins, hash);
}
