/** Small lockfiles for tests: locations and what they depend on. */
import type { JsonObject } from "../../../src/core/jsonc.ts";
import { type Lockfile, parseLockfile } from "../../../src/core/lockfile.ts";
import { lockfileText } from "../../../src/core/lockfile-layout.ts";

export interface Entry {
  /** `name@version`; the last segment of the location and 1.0.0 if absent. */
  is?: string;
  needs?: readonly string[];
  optional?: readonly string[];
  peers?: readonly string[];
  optionalPeers?: readonly string[];
  unresolved?: readonly string[];
  os?: string;
  bundled?: boolean;
  bin?: Record<string, string>;
  integrity?: string;
  url?: string;
}

/** A sha512 integrity that depends on the text only. */
export function integrityOf(text: string): string {
  return `sha512-${new Bun.CryptoHasher("sha512").update(text).digest("base64")}`;
}

const ranges = (names: readonly string[] = []): JsonObject => Object.fromEntries(names.map((name) => [name, "*"]));

/** The text of a lockfile whose roots are the given names. */
export function textOf(roots: readonly string[], entries: Record<string, Entry>, linker = "isolated"): string {
  const packages: JsonObject = {};
  for (const [location, entry] of Object.entries(entries)) {
    const own = /(?:@[^/]+\/)?[^/]+$/.exec(location)?.[0] ?? "";
    const id = entry.is ?? `${own}@1.0.0`;
    const info: JsonObject = {};
    if (entry.needs) info.dependencies = ranges(entry.needs);
    if (entry.optional) info.optionalDependencies = ranges(entry.optional);
    if (entry.peers) info.peerDependencies = ranges(entry.peers);
    if (entry.optionalPeers) info.optionalPeers = [...entry.optionalPeers];
    if (entry.unresolved) info.unresolved = [...entry.unresolved];
    if (entry.os) info.os = entry.os;
    if (entry.bundled) info.bundled = true;
    if (entry.bin) info.bin = entry.bin;
    packages[location] = [id, entry.url ?? "", info, entry.integrity ?? integrityOf(id)];
  }
  return lockfileText({
    lockfileVersion: 2,
    workspaces: { "": { name: "script-packages", dependencies: ranges(roots) } },
    packages,
    csp: { version: 1, linker, packages: {} },
  });
}

export function lockfileOf(roots: readonly string[], entries: Record<string, Entry>, linker?: string): Lockfile {
  return parseLockfile(textOf(roots, entries, linker), "test.lock");
}
