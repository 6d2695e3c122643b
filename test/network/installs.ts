/** The list of packages installed in three ways from the registry of the machine's npm configuration. */
import { copyFileSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type RealPackage, type RuntimeName, realPackages, type Way } from "./list.ts";
import { writeScripts } from "./scripts.ts";

const csp = join(import.meta.dir, "../../bin/csp");

export interface Installation {
  /** The folder the scripts lie in. */
  folder: string;
  /** The command that runs a script of that folder. */
  script(runtime: RuntimeName, file: string): string[];
  /** The command that starts a binary, a script of a runtime on the given one. */
  bin(runtime: RuntimeName, name: string, args: readonly string[]): string[];
}

/** Runs a command to its end; throws what it said where it failed. */
async function run(command: string[], cwd: string, env: Record<string, string | undefined>): Promise<void> {
  const child = Bun.spawn(command, { cwd, env, stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  const said = await new Response(child.stderr).text();
  if ((await child.exited) !== 0) throw new Error(`${command.slice(1).join(" ")}: ${said.slice(-2000)}`);
}

function allowlist(linker: string): string {
  const lines = realPackages.map(({ name, version, optional }) =>
    optional ? `  "${name}": { version: "${version}", optional: true }` : `  "${name}": "${version}"`,
  );
  return `packages:\n${lines.join("\n")}\nlinker: ${linker}\n`;
}

/** A project of csp's with a data directory of its own. */
async function cspInstall(parent: string, linker: "isolated" | "hoisted"): Promise<Installation> {
  const folder = join(parent, linker);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "script-packages.yaml"), allowlist(linker));
  writeScripts(folder);
  for (const command of ["lock", "install"]) await run([csp, command], folder, process.env);
  return {
    folder,
    script: (runtime, file) => [csp, "run", "--runtime", runtime, file],
    bin: (runtime, name, args) => [csp, "exec", "--runtime", runtime, name, ...args],
  };
}

function manifest(packages: readonly RealPackage[]): Record<string, string> {
  return Object.fromEntries(packages.map(({ name, version }) => [name, version]));
}

/** The same lockfile installed by `bun install`. No install scripts: csp runs none, and what they do is no import's. */
async function plainInstall(parent: string): Promise<Installation> {
  const folder = join(parent, "plain");
  mkdirSync(folder, { recursive: true });
  const lockfile = join(parent, "isolated", "script-packages.lock");
  const { name } = JSON.parse(readFileSync(lockfile, "utf8")).workspaces[""] as { name: string };
  const dependencies = manifest(realPackages.filter(({ optional }) => !optional));
  const optionalDependencies = manifest(realPackages.filter(({ optional }) => optional));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name, dependencies, optionalDependencies }));
  copyFileSync(lockfile, join(folder, "bun.lock"));
  writeScripts(folder);
  const flags = ["--linker=hoisted", "--frozen-lockfile", "--ignore-scripts"];
  const env = { ...process.env, BUN_INSTALL_CACHE_DIR: join(parent, "bun-cache") };
  await run([process.execPath, "install", ...flags], folder, env);
  const program = (runtime: RuntimeName): string => (runtime === "bun" ? process.execPath : "node");
  return {
    folder,
    script: (runtime, file) => [program(runtime), file],
    bin(runtime, name, args) {
      const file = realpathSync(join(folder, "node_modules", ".bin", name));
      // bun puts the program itself in the place of some packages' start script.
      const isScript = readFileSync(file).subarray(0, 2).toString() === "#!";
      return [...(isScript ? [program(runtime)] : []), file, ...args];
    },
  };
}

/** Installs the list in all three ways below an empty folder. */
export async function installAll(parent: string): Promise<Record<Way, Installation>> {
  const isolated = await cspInstall(parent, "isolated");
  return { isolated, hoisted: await cspInstall(parent, "hoisted"), plain: await plainInstall(parent) };
}
