/** Pins: one small file for each tree that is never collected, named by its hash, saying who wants that and why. */
import { mkdirSync, readdirSync, readFileSync, unlinkSync } from "node:fs";
import { dirname } from "node:path";
import { CspError } from "../core/errors.ts";
import { isLockfileHash, type LockfileHash } from "../core/lockfile-hash.ts";
import { replaceFile, syncDirectory } from "../fs/durable.ts";
import { guarded, osCode, quotedPath } from "../fs/os-error.ts";
import { type HostPaths, pinPath } from "./layout.ts";

export interface Pin {
  hash: LockfileHash;
  /** ISO time, UTC. */
  at: string;
  /** `user@host`. */
  by: string;
  reason: string | null;
}

/** All pins, in byte order of their hashes. Throws CSP_PIN_UNREADABLE for anything in their place that is no pin. */
export function readPins(paths: HostPaths): Pin[] {
  return guarded(() => namesIn(paths.pins), paths.pins).map((name) => {
    const path = pinPath(paths, name);
    const pin = isLockfileHash(name)
      ? parsePin(
          name,
          guarded(() => readFileSync(path, "utf8"), path),
        )
      : undefined;
    if (pin !== undefined) return pin;
    throw new CspError("CSP_PIN_UNREADABLE", {
      message: `${quotedPath(path)} is not a pin that csp can read`,
      hint: isLockfileHash(name) ? `write it anew with \`csp pin ${name.slice(0, 12)}\`` : "remove it",
      data: { path },
    });
  });
}

/** Pins a tree durably; a pin that is there is replaced. */
export function writePin(paths: HostPaths, { hash, at, by, reason }: Pin): void {
  const made = guarded(() => mkdirSync(paths.pins, { recursive: true, mode: 0o755 }), paths.pins);
  if (made !== undefined) syncDirectory(dirname(paths.pins));
  const text = `${JSON.stringify({ format: 1, at, by, reason })}\n`;
  replaceFile(pinPath(paths, hash), text, { mode: 0o644, stagingDirectory: paths.tmp });
}

/** Takes a pin away durably; false where there is none. */
export function removePin(paths: HostPaths, hash: LockfileHash): boolean {
  const path = pinPath(paths, hash);
  return guarded(() => {
    try {
      unlinkSync(path);
    } catch (error) {
      if (osCode(error) === "ENOENT") return false;
      throw error;
    }
    syncDirectory(paths.pins);
    return true;
  }, path);
}

/** Hashes that have a pin, whether it can be read or not. */
export function pinnedHashes(paths: HostPaths): LockfileHash[] {
  return guarded(() => namesIn(paths.pins), paths.pins).filter(isLockfileHash);
}

function parsePin(hash: LockfileHash, text: string): Pin | undefined {
  try {
    const { format, at, by, reason } = JSON.parse(text) as Pin & { format: number };
    const fits = typeof at === "string" && typeof by === "string" && (reason === null || typeof reason === "string");
    return format === 1 && fits ? { hash, at, by, reason } : undefined;
  } catch {
    return undefined;
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    if (osCode(error) === "ENOENT") return [];
    throw error;
  }
}
