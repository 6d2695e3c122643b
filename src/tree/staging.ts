/** The staging area of an installation, and the renames that turn it into names others may trust. */
import { existsSync, mkdirSync, readdirSync, renameSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { syncDirectory } from "../fs/durable.ts";
import { publishDirectory } from "../fs/publish.ts";
import { blobPath, type HostPaths, instancePath, treePath } from "./layout.ts";

/** Folders inside one scratch folder, on the file system of what they will become. */
export interface Staging {
  blobs: string;
  packages: string;
  tree: string;
  /** What was found in the place of something whole. */
  replaced: string;
}

/** Creates the folders that jobs write to. */
export function createStaging(scratch: string): Staging {
  const staging = {
    blobs: join(scratch, "blobs"),
    packages: join(scratch, "packages"),
    tree: join(scratch, "tree"),
    replaced: join(scratch, "replaced"),
  };
  for (const folder of [staging.blobs, staging.packages, staging.replaced]) mkdirSync(folder, { mode: 0o755 });
  return staging;
}

/**
 * Renames everything staged to its final name: blobs, then instances, then the tree, so that no name appears before what
 * it refers to, and makes the names durable. The staged files must be synced before. A whole thing that is already there is kept: names mean content.
 */
export function publishStaged(paths: HostPaths, staging: Staging, tree: string | undefined): void {
  const folders = new Set<string>();
  for (const digest of readdirSync(staging.blobs)) {
    const to = blobPath(paths, digest);
    const folder = dirname(to);
    if (!folders.has(folder)) mkdirSync(folder, { recursive: true, mode: 0o755 });
    folders.add(folder);
    renameSync(join(staging.blobs, digest), to);
  }
  if (folders.size > 0) folders.add(paths.cache);
  const instances = readdirSync(staging.packages);
  for (const id of instances) publish(join(staging.packages, id), instancePath(paths, id), staging, "instance.json");
  if (instances.length > 0) folders.add(paths.packages);
  if (tree !== undefined) {
    publish(staging.tree, treePath(paths, tree), staging, undefined);
    folders.add(paths.trees);
  }
  for (const folder of folders) syncDirectory(folder);
}

/** With a description, a folder that has it is whole and stays; any other one in the way is moved aside. */
function publish(staged: string, final: string, staging: Staging, description: string | undefined): void {
  if (publishDirectory(staged, final) === "published") return;
  if (description !== undefined && existsSync(join(final, description))) return;
  publishDirectory(final, join(staging.replaced, basename(final)));
  publishDirectory(staged, final);
}
