/** A host that is put back before each attempt, for commands in slow motion. */
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { copyFolder } from "../support/loop-disk.ts";
import { chooseSeed, createRandom } from "../support/random.ts";
import { type Call, type Start, start } from "./slow-motion.ts";
import { createWorld, csp } from "./world.ts";

export const long = process.env.CSP_TEST_LONG === "1";
export const seed = chooseSeed();
/** Collect all that can be. */
export const zero = ["--keep", "0", "--tree-grace", "0s", "--blob-grace", "0s"];

export interface SlowHost {
  /** A project with its data directory, and `ask.ts`, which says of which set it reads. */
  here: string;
  /** Projects of all sets, locked. */
  projects: readonly string[];
  /** The command on the host at hand, from its own project or from another one. */
  command(args: readonly string[], project?: string): Start;
  /** Puts it back: set 0 is installed. */
  reset(): void;
  /** Puts the files of a set into the project, as a checkout of another revision would. */
  takeSet(set: number): void;
  /** Runs a command and gives what it printed. Throws where it fails. */
  succeed(what: Start): Promise<string>;
  stop(): Promise<void>;
}

export async function createSlowHost(): Promise<SlowHost> {
  const world = await createWorld();
  const build = await world.build();
  for (const project of world.projects) await csp(world, build, ["lock", "-C", project]);
  const [base, here] = [world.newHost(), world.newHost()];
  const take = (project: string, set: number): void => {
    for (const file of ["script-packages.yaml", "script-packages.lock"])
      copyFileSync(join(world.projects[set] ?? "", file), join(project, file));
  };
  mkdirSync(base);
  take(base, 0);
  await csp(world, build, ["install", "-C", base]);
  writeFileSync(join(base, "ask.ts"), `import { sets } from "one";\nconsole.log("set", sets[0]);\n`);
  return {
    here,
    projects: world.projects,
    command(args, project = here) {
      const argv = [build.csp, ...args, "--data-dir", join(here, ".data")];
      return { argv, cwd: project, env: world.env };
    },
    reset() {
      rmSync(here, { recursive: true, force: true });
      copyFolder(base, here);
    },
    takeSet: (set) => take(here, set),
    async succeed(what) {
      const { status, stdout, stderr } = await start(what).end;
      if (status !== 0) throw new Error(`${what.argv.join(" ")} ended with ${status}: ${stderr}`);
      return stdout;
    },
    stop: () => world.stop(),
  };
}

/** Some of them, by the seed, or all in a long run. */
export function someOf(calls: readonly Call[], count: number): Call[] {
  const random = createRandom(seed);
  const left = [...calls];
  if (long) return left;
  return Array.from({ length: Math.min(count, left.length) }, () => left.splice(random.below(left.length), 1)).flat();
}
