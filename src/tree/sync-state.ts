/**
 * What this host last saw of its store. It saves requests, and it keeps a store from going back to an older state unnoticed.
 * It is written after a sync was done, so whatever it says was verified.
 */
import { readFileSync } from "node:fs";
import { isLockfileHash, type LockfileHash } from "../core/lockfile-hash.ts";
import { replaceFile } from "../fs/durable.ts";
import type { HostPaths } from "./layout.ts";

export interface SyncState {
  format: 1;
  /** As it was configured, without credentials. */
  address: string;
  /** The store's own id. */
  store: string;
  generation: number;
  /** What the store calls this state. */
  version: string;
  channel: string;
  /** The release that the channel pointed at. */
  release: LockfileHash;
}

/** Undefined where this host never synced, and where what it noted cannot be read: the next sync then asks for everything. */
export function readSyncState(paths: HostPaths): SyncState | undefined {
  try {
    const state = JSON.parse(readFileSync(paths.syncState, "utf8")) as SyncState;
    return isSyncState(state) ? state : undefined;
  } catch {
    return undefined;
  }
}

/** Durable. Nothing is written where it says so already. */
export function writeSyncState(paths: HostPaths, state: SyncState): void {
  if (Bun.deepEquals(readSyncState(paths), state)) return;
  replaceFile(paths.syncState, `${JSON.stringify(state)}\n`, { mode: 0o644 });
}

function isSyncState(state: SyncState): boolean {
  const { format, address, store, generation, version, channel, release } = state;
  return (
    format === 1 &&
    [address, store, version, channel].every((text) => typeof text === "string") &&
    Number.isSafeInteger(generation) &&
    isLockfileHash(release)
  );
}
