/** What every verb is given: the project, the host, and the outside world as values and callbacks. */
import type { Warning } from "../core/errors.ts";
import type { Platform } from "../core/platform.ts";
import type { LockHolder } from "../fs/lock-holder.ts";

export interface Project {
  /** The folder of the allowlist, absolute. */
  directory: string;
  /** Absolute path of `script-packages.yaml`. */
  allowlist: string;
  /** Absolute path of `script-packages.lock`. */
  lockfile: string;
}

/** What a long verb is doing; `total` is 0 where it is not known. */
export interface Progress {
  phase: "resolve" | "measure" | "fetch" | "upload" | "copy" | "link" | "sync" | "switch" | "collect" | "check";
  done: number;
  total: number;
  bytes: number;
  totalBytes: number;
}

export interface Context {
  project: Project;
  /** `<data dir>/script-packages`, absolute. */
  dataRoot: string;
  platform: Platform;
  /** Path of the bun that resolves; the one csp runs on. */
  bun: string;
  version: string;
  /** Processor cores that workers may use. */
  cores: number;
  /** The user's environment; read for the npm configuration and handed on to scripts. */
  env: Readonly<Record<string, string | undefined>>;
  home: string | undefined;
  /** Folder for private temporary folders outside of the project. */
  temporary: string;
  /** `user@host`, for the journal. */
  who: string;
  /** `csp install`, for the journal and for others who wait. */
  command: string;
  offline: boolean;
  trustProject: boolean;
  /** The working directory, absolute; what paths on the command line are relative to. */
  cwd: string;
  /** Absolute addresses of the stores that the user named; empty where the allowlist's count. */
  stores: readonly string[];
  /** The channel that the user named. */
  channel: string | undefined;
  resolveTimeoutMs: number;
  lockTimeoutMs: number;
  /** Bytes that an installation must leave free; absent: what the allowlist says. */
  minimumFreeSpace?: number | undefined;
  now: () => number;
  signal: AbortSignal;
  progress: (progress: Progress) => void;
  warn: (warning: Warning) => void;
  waiting: (holder: LockHolder | undefined) => void;
}
