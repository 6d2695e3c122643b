/** What lies on a host beside trees: package instances and blobs, and what they take. */
import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { InstanceId } from "../core/closure.ts";
import type { Digest } from "../core/integrity.ts";
import { guarded, osCode } from "../fs/os-error.ts";
import { measureTree } from "../fs/remove.ts";
import { type InstanceDescription, readInstance } from "./instance-description.ts";
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

/** Answers about instances; each is looked at once. */
export interface Instances {
  /** Undefined for an instance that is not whole. */
  digest(id: InstanceId): Digest | undefined;
  /** By what was noted when the instance was built; measured where nothing was. */
  bytes(id: InstanceId): number;
  /** The files it has, as a name: those with one digest share all files or none, mostly all. */
  share(id: InstanceId): string;
}

/** Opens the instances of a host for questions. */
export function createInstances(paths: HostPaths): Instances {
  const known = new Map<InstanceId, InstanceDescription | undefined>();
  const look = (id: InstanceId): InstanceDescription | undefined => {
    if (!known.has(id)) known.set(id, readInstance(instancePath(paths, id)));
    return known.get(id);
  };
  return {
    digest: (id) => look(id)?.digest,
    bytes: (id) => look(id)?.bytes ?? measureTree(join(instancePath(paths, id), "node_modules")).bytes,
    share: (id) => shareOf(paths, id),
  };
}

/** The file that tells which instances share: all or nothing of a package is linked, and each has a package.json. */
function shareOf(paths: HostPaths, id: InstanceId): string {
  const name = id.slice(0, id.lastIndexOf("@")).replace("+", "/");
  const stat = lookAt(`${instancePath(paths, id)}/node_modules/${name}/package.json`);
  return stat === undefined ? id : `${stat.dev}:${stat.ino}`;
}

/** What is before the closure's hash in an id: only instances that agree in it can share files. */
export function stemOf(id: InstanceId): string {
  return id.slice(0, id.lastIndexOf("-"));
}

/** Bytes of a file; 0 where there is none. */
export function sizeOf(path: string): number {
  return lookAt(path)?.size ?? 0;
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
