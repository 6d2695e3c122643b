/** A fleet on one machine: a registry, projects that a team publishes, csp as a command, and csp's own code to act beside it. */
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { detectPlatform } from "../../src/fs/host-platform.ts";
import type { Context } from "../../src/ops/context.ts";
import { buildCopy, type SourceChange } from "../support/built-copy.ts";
import type { PackageSpec } from "../support/packages.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";
import { type Child, startChild } from "../support/script/child.ts";
import { writeToken } from "../support/servers/serve.ts";
import { makeTemp, removeTree } from "../support/temp.ts";

/** Versions of the project that follows itself: in each both changing packages are of that number, and `core` stays. */
export const versions = 10;

export interface World {
  directory: string;
  registry: TestRegistry;
  /** Project folders with a lockfile each: version 0, 1, … */
  projects: readonly string[];
  /** The packages of version 1 and a further one, which nobody else has. */
  more: string;
  /** The packages of version 1 and another further one. */
  other: string;
  /** The environment of commands and of csp's own code; servers add to it what their clients need. */
  env: Record<string, string>;
  /** Starts csp, or another build of it. */
  start(args: readonly string[], csp?: string): Child;
  /** Runs csp to its end and gives what it printed. Throws where it fails. */
  csp(args: readonly string[]): Promise<string>;
  /** Builds a csp with changes and gives its launcher. */
  build(changes: readonly SourceChange[]): string;
  /** What csp's own code is given to act for a project or a host. */
  context(project: string, dataRoot?: string): Context;
  /** A path for a new data directory or store. */
  place(): string;
  stop(): Promise<void>;
}

const limit = 5 * 60_000;

function packages(): PackageSpec[] {
  const all = Array.from({ length: versions }, (_, number) => number);
  const pair = all.flatMap((number) => {
    const version = `1.${number}.0`;
    const own = `exports.number = ${number};\n`;
    const files = { "index.js": `${own}exports.tock = require("tock").number;\n`, "late.js": own };
    return [spec("tick", version, files, { tock: version }), spec("tock", version, { "index.js": own })];
  });
  return [...pair, ...["core", "more", "other"].map((name) => spec(name, "1.0.0", { "index.js": "" }))];
}

function spec(
  name: string,
  version: string,
  files: Record<string, string>,
  dependencies: Record<string, string> = {},
): PackageSpec {
  const manifest = JSON.stringify({ name, version, main: "index.js", dependencies });
  return { name, version, files: { "package.json": manifest, ...files }, meta: { padding: 3000 } };
}

export async function createWorld(): Promise<World> {
  // Fleets are about order, not about disks: in memory nothing waits for a device, so more happens at once.
  const directory = existsSync("/dev/shm") ? mkdtempSync("/dev/shm/csp-fleet-") : makeTemp("csp-fleet-");
  const registry = await startRegistry(packages());
  const home = join(directory, "home");
  mkdirSync(home);
  const { PATH = "" } = process.env;
  const env = { PATH, HOME: home, TMPDIR: home, CSP_BUN: process.execPath, NO_COLOR: "1", CSP_STORE_TOKEN: writeToken };
  let count = 0;
  const build = (changes: readonly SourceChange[]): string => {
    const place = join(directory, `csp-${++count}`);
    mkdirSync(place);
    return buildCopy(place, changes).csp;
  };
  const whole = build([]);
  const world: World = {
    directory,
    registry,
    projects: Array.from({ length: versions }, (_, number) => join(directory, `version-${number}`)),
    more: join(directory, "more"),
    other: join(directory, "other"),
    env,
    build,
    place: () => join(directory, `place-${++count}`),
    start: (args, csp = whole) =>
      startChild({ argv: [csp, ...args], cwd: directory, env, stdin: undefined, tty: false, limit }),
    async csp(args) {
      const { status, stdout, stderr } = await world.start(args).end;
      if (status !== 0) throw new Error(`csp ${args.join(" ")} ended with ${status}: ${stderr}`);
      return stdout;
    },
    context: (project, dataRoot = join(directory, "nowhere")) => contextOf(project, dataRoot, { env, home }),
    async stop() {
      await registry.stop();
      removeTree(directory);
    },
  };
  const projects: [string, string[]][] = world.projects.map((folder, number) => [folder, pairOf(number)]);
  projects.push([world.more, [...pairOf(1), "more: 1.0.0"]], [world.other, [...pairOf(1), "other: 1.0.0"]]);
  for (const [folder, lines] of projects) {
    mkdirSync(folder);
    const wanted = lines.map((line) => `  ${line}\n`).join("");
    writeFileSync(join(folder, "script-packages.yaml"), `packages:\n${wanted}registry:\n  url: ${registry.url}/\n`);
  }
  for (let start = 0; start < projects.length; start += 3) {
    await Promise.all(projects.slice(start, start + 3).map(([folder]) => world.csp(["lock", "-C", folder])));
  }
  return world;
}

function pairOf(number: number): string[] {
  return ["core: 1.0.0", `tick: 1.${number}.0`];
}

function contextOf(directory: string, dataRoot: string, { env, home }: { env: World["env"]; home: string }): Context {
  return {
    project: {
      directory,
      allowlist: join(directory, "script-packages.yaml"),
      lockfile: join(directory, "script-packages.lock"),
    },
    dataRoot,
    platform: detectPlatform(),
    bun: process.execPath,
    version: "0.0.0-fleet",
    cores: 2,
    env,
    home,
    temporary: home,
    who: "fleet@test",
    command: "csp sync",
    offline: false,
    trustProject: false,
    cwd: "/",
    stores: [],
    channel: undefined,
    resolveTimeoutMs: 60_000,
    lockTimeoutMs: 60_000,
    now: Date.now,
    signal: new AbortController().signal,
    progress: () => {},
    warn: () => {},
    waiting: () => {},
  };
}
