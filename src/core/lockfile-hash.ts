/** The lockfile hash: names a tree. A pure function of what would be on disk; sizes, times and URLs do not count. */

import { byteOrder } from "./location.ts";
import type { Lockfile } from "./lockfile.ts";

/** 64 lower-case hexadecimal characters. */
export type LockfileHash = string;

/** Format of trees; a part of every hash. */
export const treeFormat = 1;

/** sha256 of canonical JSON over format, linker, root names and, per location, all that decides its files and links. */
export function lockfileHash(lockfile: Lockfile): LockfileHash {
  const hasher = new Bun.CryptoHasher("sha256");
  const roots = [Object.keys(lockfile.dependencies), Object.keys(lockfile.optionalDependencies)];
  hasher.update(JSON.stringify([treeFormat, lockfile.linker, ...roots.map((names) => names.sort(byteOrder))]));
  for (const location of [...lockfile.packages.keys()].sort(byteOrder)) {
    const pkg = lockfile.packages.get(location);
    if (pkg === undefined) continue;
    const { integrity } = pkg;
    if (integrity.kind !== "strong") throw new Error(`no strong integrity for ${location}`);
    hasher.update(
      JSON.stringify([
        location,
        pkg.name,
        pkg.version,
        integrity.text,
        names(pkg.dependencies),
        names(pkg.optionalDependencies),
        names(pkg.peerDependencies),
        list(pkg.optionalPeers),
        list(pkg.unresolved),
        Object.entries(pkg.bin).sort((a, b) => byteOrder(a[0], b[0])),
        pkg.binDir ?? "",
        list(pkg.limits.os),
        list(pkg.limits.cpu),
        list(pkg.limits.libc),
        pkg.bundled,
      ]),
    );
  }
  return hasher.digest("hex");
}

const names = (record: Readonly<Record<string, string>>): string[] => Object.keys(record).sort(byteOrder);
const list = (values: readonly string[]): readonly string[] =>
  values.length < 2 ? values : [...values].sort(byteOrder);

/** True for 64 lower-case hexadecimal characters. */
export function isLockfileHash(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}
