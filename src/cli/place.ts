/** Where a command works: the project and the data directory. */
import { existsSync, realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { Project } from "../ops/context.ts";

const allowlistName = "script-packages.yaml";
const lockfileName = "script-packages.lock";

/** The project's files in a folder. */
export function projectIn(directory: string): Project {
  return { directory, allowlist: join(directory, allowlistName), lockfile: join(directory, lockfileName) };
}

/** The nearest folder upwards that has an allowlist or a lockfile; the working directory where none has. */
export function findProject(cwd: string): string {
  for (let at = cwd; ; at = dirname(at)) {
    if (existsSync(join(at, allowlistName)) || existsSync(join(at, lockfileName))) return at;
    if (at === dirname(at)) return cwd;
  }
}

/** `<data dir>/script-packages`: by flag, by environment, else beside the allowlist. */
export function dataRoot(flag: string | undefined, variable: string | undefined, project: string): string {
  const directory = flag !== undefined ? resolve(flag) : variable ? resolve(variable) : join(project, ".data");
  return realPathOf(join(directory, "script-packages"));
}

/** The path without symlinks, as far as it exists. */
function realPathOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path === dirname(path) ? path : join(realPathOf(dirname(path)), basename(path));
  }
}
