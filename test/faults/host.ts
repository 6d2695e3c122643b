/** A host on which csp is run, traced and stopped: a project with its data directory on a disk that can be put back. */
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isCspError } from "../../src/core/errors.ts";
import { detectPlatform } from "../../src/fs/host-platform.ts";
import type { Context } from "../../src/ops/context.ts";
import { verifyHost } from "../../src/ops/verify.ts";
import { type HostPaths, hostPaths } from "../../src/tree/layout.ts";
import { copyFolder, createLoopDisk, type LoopDisk, memoryFolder } from "../support/loop-disk.ts";
import type { PackageSpec } from "../support/packages.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";
import { startChild } from "../support/script/child.ts";
import type { Command } from "../support/strace.ts";
import { removeTree } from "../support/temp.ts";

const repository = join(import.meta.dir, "../..");
/** The launcher's own words. */
const bun = [process.execPath, "--config=/dev/null", "--no-env-file", "--tsconfig-override=/dev/null", "--no-install"];
const limit = 60_000;

export interface Host {
  readonly project: string;
  readonly paths: HostPaths;
  readonly registry: TestRegistry;
  /** Only of a host whose power can be cut. */
  readonly disk: LoopDisk | undefined;
  /** Keeps the state for `restore`. */
  save(): void;
  restore(): void;
  /** The command, to be run under strace. */
  command(args: readonly string[]): Command;
  csp(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }>;
  /** Runs csp and throws unless it succeeds. */
  succeed(...args: string[]): Promise<void>;
  write(file: "yaml" | "lock", text: string): void;
  read(file: "yaml" | "lock"): string;
  /** What csp's own verification finds, in words; empty for a host where nothing is installed. */
  verify(): Promise<string[]>;
  /** Paths of tarballs that were asked for since the last call. */
  fetched(): string[];
  remove(): Promise<void>;
}

/** Starts a registry and makes an empty host, on a disk of its own where its power is to be cut. */
export async function createHost(packages: readonly PackageSpec[], how: { loop: boolean }): Promise<Host> {
  const folder = memoryFolder();
  const disk = how.loop ? createLoopDisk(join(folder)) : undefined;
  const base = disk?.mountPoint ?? join(folder, "disk");
  const saved = join(folder, "saved");
  const project = join(base, "project");
  for (const each of ["home", "tmp", "csp"]) mkdirSync(join(folder, each));
  const main = copyProgram(join(folder, "csp"));
  mkdirSync(project, { recursive: true });
  const registry = await startRegistry(packages);
  // Archives arrive in one order, so that what is done with them is done in one order.
  for (const [i, { name }] of packages.entries()) registry.fault(new RegExp(`^/${name}/-/`), "slow", String(i * 8));
  writeFileSync(join(folder, "home/.npmrc"), `registry=${registry.url}/\n`);
  const env = { PATH: process.env.PATH ?? "", HOME: join(folder, "home"), TMPDIR: join(folder, "tmp") };
  const paths = hostPaths(join(project, ".data/script-packages"));
  const argv = (args: readonly string[]) => [...bun, main, ...args];

  const csp: Host["csp"] = (...args) =>
    startChild({ argv: argv(args), cwd: project, env, stdin: undefined, tty: false, limit }).end;

  return {
    project,
    paths,
    registry,
    disk,
    save: () => (disk ? disk.save() : copyFolder(base, saved)),
    restore: () => (disk ? disk.restore() : copyFolder(saved, base)),
    command: (args) => ({ argv: argv(args), cwd: project, env, log: join(folder, "trace"), base: project }),
    csp,
    async succeed(...args) {
      const { status, stdout, stderr } = await csp(...args);
      if (status !== 0) throw new Error(`csp ${args.join(" ")} ended with ${status}:\n${stdout}${stderr}`);
    },
    write: (file, text) => writeFileSync(join(project, `script-packages.${file}`), text),
    read: (file) => readFileSync(join(project, `script-packages.${file}`), "utf8"),
    verify: () => verify(contextOf(project, paths, folder)),
    fetched() {
      const got = registry.requests.filter(({ method, path }) => method === "GET" && path.endsWith(".tgz"));
      registry.forget();
      return got.map(({ path }) => path);
    },
    async remove() {
      await registry.stop();
      disk?.remove();
      removeTree(folder);
    },
  };
}

/** Somebody may build while this runs. */
function copyProgram(to: string): string {
  cpSync(join(repository, "dist"), join(to, "dist"), { recursive: true });
  cpSync(join(repository, "package.json"), join(to, "package.json"));
  symlinkSync(join(repository, "node_modules"), join(to, "node_modules"));
  return join(to, "dist/main.js");
}

async function verify(ctx: Context): Promise<string[]> {
  try {
    const { findings } = await verifyHost(ctx, { deep: true });
    return findings.map(({ path, message }) => `verify: ${path} ${message}`);
  } catch (error) {
    if (isCspError(error, "CSP_NOT_INSTALLED") && !readdirOrNone(ctx.dataRoot).includes("current")) return [];
    throw error;
  }
}

function readdirOrNone(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function contextOf(directory: string, { root: dataRoot }: HostPaths, folder: string): Context {
  return {
    project: {
      directory,
      allowlist: join(directory, "script-packages.yaml"),
      lockfile: join(directory, "script-packages.lock"),
    },
    dataRoot,
    platform: detectPlatform(),
    bun: process.execPath,
    version: "0.0.0",
    cores: 1,
    env: {},
    home: join(folder, "home"),
    temporary: join(folder, "tmp"),
    who: "tester@host",
    command: "csp verify",
    offline: true,
    trustProject: false,
    cwd: "/",
    stores: [],
    channel: undefined,
    resolveTimeoutMs: limit,
    lockTimeoutMs: 5_000,
    now: Date.now,
    signal: new AbortController().signal,
    progress: () => {},
    warn: () => {},
    waiting: () => {},
  } as Context;
}
