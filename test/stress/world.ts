/** Where a crowd works: a registry, one locked project for each set, the built csp and its driver, and hosts in a row. */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync } from "node:fs";
import { join } from "node:path";
import { type BuiltCopy, buildCopy, type SourceChange } from "../support/built-copy.ts";
import { startRegistry } from "../support/registry.ts";
import { makeTemp, removeTree } from "../support/temp.ts";
import { setPackages, writeImports, writeProjects } from "./sets.ts";

/** csp as it is, or with something taken away. */
export interface Build extends BuiltCopy {
  driver: string;
}

export interface World {
  directory: string;
  /** Of the sets, in their order. */
  projects: readonly string[];
  /** The script that runs run. */
  script: string;
  env: Record<string, string>;
  /** Builds csp; with changes it is one that lacks something. */
  build(changes?: readonly SourceChange[]): Promise<Build>;
  /** A path for a new data directory. */
  newHost(): string;
  stop(): Promise<void>;
}

/** Crowds are about order, not about disks: in memory nothing waits for a device, so more happens at once. */
const memory = existsSync("/dev/shm") ? "/dev/shm" : undefined;

/** The variables of commands: nothing of the one who runs the tests. */
export function plainEnvironment(home: string): Record<string, string> {
  const { PATH = "" } = process.env;
  return { PATH, HOME: home, TMPDIR: home, CSP_BUN: process.execPath, NO_COLOR: "1" };
}

export async function createWorld(): Promise<World> {
  const directory = makeTemp();
  const hostsDirectory = memory === undefined ? directory : mkdtempSync(join(memory, "csp-test-"));
  const registry = await startRegistry(setPackages());
  const home = join(directory, "home");
  mkdirSync(home);
  const projects = writeProjects(directory, registry.url);
  const scripts = join(directory, "scripts");
  mkdirSync(scripts);
  const script = join(scripts, "script.ts");
  copyFileSync(join(import.meta.dir, "script.ts"), script);
  writeImports(scripts);
  const env = plainEnvironment(home);
  let hosts = 0;
  let builds = 0;
  const world: World = {
    directory,
    projects,
    script,
    env,
    async build(changes) {
      const place = join(directory, `csp-${++builds}`);
      mkdirSync(place);
      const copy = buildCopy(place, changes);
      return { ...copy, driver: await copy.bundle("test/stress/driver.ts") };
    },
    newHost: () => join(hostsDirectory, `host-${++hosts}`),
    async stop() {
      await registry.stop();
      for (const each of [directory, hostsDirectory]) removeTree(each);
    },
  };
  return world;
}

/** Runs csp to its end, away from this process's event loop only in so far as that serves it. Throws where it fails. */
export async function csp(world: World, build: BuiltCopy, args: readonly string[]): Promise<string> {
  const child = Bun.spawn([build.csp, ...args], { env: world.env, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  if ((await child.exited) !== 0) throw new Error(`csp ${args.join(" ")} ended with ${child.exitCode}: ${err}`);
  return out;
}
