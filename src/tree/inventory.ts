/** What lies on a host beside trees: package instances and blobs, and what they take. */
import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { InstanceId } from "../core/closure.ts";
import type { Digest } from "../core/integrity.ts";
import { guarded, osCode } from "../fs/os-error.ts";
import { measureTree } from "../fs/remove.ts";
import { readInstance } from "./instance.ts";
import { blobPath, type HostPaths, instancePath } from "./layout.ts";

/** Names of all package instances, whole or not, in byte order; what is named otherwise is none of csp's. */
export function listInstances(paths: HostPaths): InstanceId[] {
  return namesIn(paths.packages)
    .filter((name) => /.@.*-[0-9a-f]{32}$/.test(name))
    .sort();
}

/** Digests of all blobs of the cache, in byte order. */
export function listBlobs(paths: HostPaths): Digest[] {
  return namesIn(paths.cache).flatMap((folder) =>
    /^[0-9a-f]{2}$/.test(folder)
      ? namesIn(join(paths.cache, folder)).filter((name) => /^[0-9a-f]{128}$/.test(name) && name.startsWith(folder))
      : [],
  );
}

export function blobBytes(paths: HostPaths, digest: Digest): number {
  return sizeOf(blobPath(paths, digest));
}

/** What removing an instance would free. */
export interface Footprint {
  /** Content of its files, if no other instance has them. */
  bytes: number;
  /** Equal for instances that share all their files by hard links. */
  share: string;
}

/** The footprint, by what was noted when the instance was built; measured where nothing was. */
export function footprint(paths: HostPaths, id: InstanceId): Footprint {
  const folder = instancePath(paths, id);
  const bytes = readInstance(folder)?.bytes ?? contentBytes(join(folder, "node_modules"));
  return { bytes, share: shareOf(paths, id) };
}

/** The file that tells which instances share: all or nothing of a package is linked, and each has a package.json. */
export function shareOf(paths: HostPaths, id: InstanceId): string {
  const name = id.slice(0, id.lastIndexOf("@")).replace("+", "/");
  const stat = lookAt(join(instancePath(paths, id), "node_modules", name, "package.json"));
  return stat === undefined ? id : `${stat.dev}:${stat.ino}`;
}

/** Bytes of a file; 0 where there is none. */
export function sizeOf(path: string): number {
  return lookAt(path)?.size ?? 0;
}

/** Measured like a removal where no file has another link, which is so for what no other instance shares. */
function contentBytes(folder: string): number {
  return measureTree(folder).bytes;
}

function lookAt(path: string) {
  return guarded(() => {
    try {
      return lstatSync(path);
    } catch (error) {
      if (osCode(error) === "ENOENT" || osCode(error) === "ENOTDIR") return undefined;
      throw error;
    }
  }, path);
}

function namesIn(directory: string): string[] {
  return guarded(() => {
    try {
      return readdirSync(directory).sort();
    } catch (error) {
      if (osCode(error) === "ENOENT" || osCode(error) === "ENOTDIR") return [];
      throw error;
    }
  }, directory);
}
