/**
 * What must be quick is answered before the program is loaded. The commonest answer of all is `csp install` with nothing to
 * do: in CI and in units that run every minute this is nearly every run. And `rollback` and `use` are for moments when
 * every second counts, as is going back to a lockfile whose tree is known. Whatever is not simple is left to the program.
 */
import { resolve } from "node:path";
import { detectPlatform } from "../fs/host-platform.ts";
import { findKnownTree } from "../ops/up-to-date.ts";
import { dataRoot, findProject, projectIn } from "./place.ts";
import { version } from "./version.ts";

/** True where the command line was answered. */
export async function answerQuickly(argv: readonly string[]): Promise<boolean> {
  const place = parse(argv);
  if (place === undefined) return false;
  const directory = findProject(resolve(place.cwd ?? process.cwd()));
  const surroundings = {
    project: projectIn(directory),
    dataRoot: dataRoot(place.dataDir, process.env.CHECKSTACK_DATA_DIR, directory),
    platform: detectPlatform(),
    version,
  };
  const known = findKnownTree(surroundings);
  if (known === undefined) return false;
  if (!known.isCurrent) return (await import("./quick-return.ts")).returnQuickly(surroundings, known);
  console.log(`nothing to do: ${known.description.hash.slice(0, 12)} is current`);
  return true;
}

/** The folders that an `install` names; undefined for any other command line. */
function parse(argv: readonly string[]): { cwd?: string; dataDir?: string } | undefined {
  const [command, ...words] = argv;
  if (command !== "install" && command !== "i" && command !== "ci") return undefined;
  const place: { cwd?: string; dataDir?: string } = {};
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    if (word === "--frozen-lockfile" || word === "--offline") continue;
    const key = word === "-C" || word === "--cwd" ? "cwd" : word === "--data-dir" ? "dataDir" : undefined;
    const value = words[++i];
    if (key === undefined || value === undefined || value.startsWith("-")) return undefined;
    place[key] = value;
  }
  return place;
}
