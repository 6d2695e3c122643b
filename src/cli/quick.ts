/**
 * The commonest answer of all, `csp install` with nothing to do, given before the program is loaded: in CI and in units
 * that run every minute this is nearly every run. Whatever is not as simple as that is left to the program.
 */
import { writeSync } from "node:fs";
import { detectPlatform } from "../fs/host-platform.ts";
import { isUpToDate } from "../ops/up-to-date.ts";
import { dataRoot, findProject, projectIn } from "./place.ts";
import { version } from "./version.ts";

/** True where the command line was answered. */
export function answerQuickly(argv: readonly string[]): boolean {
  const [command, ...flags] = argv;
  if (command !== "install" && command !== "i" && command !== "ci") return false;
  if (flags.some((flag) => flag !== "--frozen-lockfile" && flag !== "--offline")) return false;
  const directory = findProject(process.cwd());
  const current = isUpToDate({
    project: projectIn(directory),
    dataRoot: dataRoot(undefined, process.env.CHECKSTACK_DATA_DIR, directory),
    platform: detectPlatform(),
    version,
  });
  if (current === undefined) return false;
  writeSync(1, `nothing to do: ${current.hash.slice(0, 12)} is current\n`);
  return true;
}
