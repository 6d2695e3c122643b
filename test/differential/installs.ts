/** Installing one lockfile in three ways: bun's hoisted layout, which is the oracle, and csp's two linkers. */
import { mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildGraph } from "../../src/core/graph.ts";
import type { Linker, Lockfile } from "../../src/core/lockfile.ts";
import { formatLockfile } from "../../src/core/lockfile-text.ts";
import type { Platform } from "../../src/core/platform.ts";
import { planTree } from "../../src/core/tree-plan.ts";
import { detectPlatform } from "../../src/fs/host-platform.ts";
import { buildInstances, type InstanceJob } from "../../src/tree/instance.ts";
import { hostPaths, treePath } from "../../src/tree/layout.ts";
import { createStaging, publishStaged } from "../../src/tree/staging.ts";
import { stageTree } from "../../src/tree/tree.ts";
import type { World } from "./world.ts";

const main = join(import.meta.dir, "../../src/cli/main.ts");

export interface Installed {
  /** The folder that scripts import from. */
  root: string;
  /** The folder that everything of the installation lies in. */
  outermost: string;
}

/** Runs `bun install` with a hoisted layout in a folder, for another platform where one is given. */
export async function bunInstall(
  folder: string,
  { registry, lockfile }: World,
  platform?: Platform,
): Promise<Installed> {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "bun.lock"), formatLockfile(lockfile));
  const { os, cpu, libc } = platform ?? {};
  const limits = Object.entries({ os, cpu, libc }).filter(([, value]) => value !== undefined);
  const flags = limits.map(([name, value]) => `--${name}=${value}`);
  await runBun(folder, registry.url, lockfile, ["--linker=hoisted", "--frozen-lockfile", ...flags]);
  return { root: folder, outermost: folder };
}

type Roots = Pick<Lockfile, "dependencies" | "optionalDependencies">;

/** Lets bun resolve the roots at the registry. Returns the text of bun.lock. */
export async function bunResolve(folder: string, registryUrl: string, roots: Roots): Promise<string> {
  mkdirSync(folder, { recursive: true });
  await runBun(folder, registryUrl, roots, ["--lockfile-only"]);
  return readFileSync(join(folder, "bun.lock"), "utf8");
}

async function runBun(folder: string, registryUrl: string, roots: Roots, flags: string[]): Promise<void> {
  const { dependencies, optionalDependencies } = roots;
  const manifest = { name: "script-packages", dependencies, optionalDependencies };
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  writeFileSync(join(folder, ".npmrc"), `registry=${registryUrl}/\n`);
  const quiet = ["--config=/dev/null", "--no-env-file", "--ignore-scripts", "--no-progress", "--no-summary"];
  const env = { HOME: folder, BUN_INSTALL_CACHE_DIR: join(folder, ".cache") };
  await run(["install", ...quiet, ...flags], folder, env);
}

async function run(args: readonly string[], cwd: string, env: Record<string, string>): Promise<void> {
  const child = Bun.spawn([process.execPath, ...args], { cwd, env, stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  const said = await new Response(child.stderr).text();
  if ((await child.exited) !== 0) throw new Error(`${args[0]}: ${said}`);
}

/** What the tree of a lockfile is, built from the registry's packages as an installation does it, for any platform. */
export async function buildTree(
  folder: string,
  { registry, lockfile }: World,
  linker: Linker,
  platform: Platform = detectPlatform(),
): Promise<Installed> {
  const paths = hostPaths(join(folder, "script-packages"));
  for (const each of [paths.cache, paths.packages, paths.trees, paths.tmp]) mkdirSync(each, { recursive: true });
  const plan = planTree({ ...lockfile, linker }, buildGraph({ ...lockfile, linker }, "the lockfile"), platform);
  const staging = createStaging(paths.tmp);
  const jobs = new Map<string, InstanceJob & { instances: InstanceJob["instances"][number][] }>();
  for (const instance of plan.instances) {
    const { digest, name, version } = instance;
    const job = jobs.get(digest) ?? {
      digest,
      name,
      version,
      cached: undefined,
      stageBlob: undefined,
      donor: undefined,
      instances: [],
    };
    job.instances.push({ staged: join(staging.packages, instance.id), plan: instance });
    jobs.set(digest, job);
  }
  for (const job of jobs.values())
    await buildInstances(job, new Uint8Array(registry.package(job.name, job.version).tarball));
  stageTree(plan, formatLockfile({ ...lockfile, linker }), staging.tree, (id) => join(staging.packages, id));
  publishStaged(paths, staging, plan.hash);
  return { root: treePath(paths, plan.hash), outermost: paths.root };
}

/** Runs `csp install --frozen-lockfile` with the given linker in a folder that may have been installed to before. */
export async function cspInstall(folder: string, { registry, lockfile }: World, linker: Linker): Promise<Installed> {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "script-packages.yaml"), allowlistOf(lockfile, linker, registry.url));
  writeFileSync(join(folder, "script-packages.lock"), formatLockfile({ ...lockfile, linker }));
  await run([main, "install", "--frozen-lockfile"], folder, { HOME: folder });
  const outermost = join(folder, ".data", "script-packages");
  return { root: realpathSync(join(outermost, "current")), outermost };
}

function allowlistOf(roots: Roots, linker: Linker, registryUrl: string): string {
  const entries = (names: Readonly<Record<string, string>>, optional: boolean): string[] =>
    Object.entries(names).map(
      ([name, spec]) => `  ${JSON.stringify(name)}: { version: "${spec}", optional: ${optional} }`,
    );
  const packages = [...entries(roots.dependencies, false), ...entries(roots.optionalDependencies, true)];
  return `linker: ${linker}\nregistry: { url: ${registryUrl}/ }\npackages:\n${packages.join("\n")}\n`;
}
