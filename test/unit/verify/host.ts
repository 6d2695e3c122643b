/** A host with an installed tree, to be damaged and verified. */
import { spawnSync } from "node:child_process";
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { detectPlatform } from "../../../src/fs/host-platform.ts";
import type { Context } from "../../../src/ops/context.ts";
import { underInstallLock } from "../../../src/ops/host-locks.ts";
import { applyInstall, planInstall, readProject } from "../../../src/ops/install.ts";
import { type HostPaths, hostPaths } from "../../../src/tree/layout.ts";
import type { PackageSpec } from "../../support/packages.ts";
import { startRegistry, type TestRegistry } from "../../support/registry.ts";
import { makeTemp, removeTree } from "../../support/temp.ts";

export interface TestHost {
  ctx: Context;
  paths: HostPaths;
  registry: TestRegistry;
  /** Writes an allowlist and brings the host to it. */
  install(allowlist: string): Promise<void>;
  /** A copy of the whole data directory, hard links and times included, on a context of its own. */
  copy(): TestHost;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Packages with programs, empty and nested folders, a large file, a cycle, bundles, and names with a scope. */
export const packages: readonly PackageSpec[] = [
  {
    name: "alpha",
    version: "1.0.0",
    files: {
      "package.json": JSON.stringify({
        dependencies: { beta: "1.0.0", "@s/gamma": "1.0.0" },
        bin: { alpha: "cli.js" },
      }),
      "index.js": "module.exports = ['alpha', require('beta'), require('@s/gamma')];\n",
      "cli.js": "#!/usr/bin/env node\nconsole.log('alpha');\n",
      "lib/deep/er/data.json": JSON.stringify({ text: "x".repeat(3000) }),
      "lib/empty.txt": "",
    },
    meta: { extra: [{ path: "package/hollow", type: "directory" }], padding: 200_000 },
  },
  {
    name: "beta",
    version: "1.0.0",
    files: {
      "package.json": JSON.stringify({ dependencies: { "@s/gamma": "1.0.0" } }),
      "index.js": "module.exports = 'beta';\n",
    },
  },
  {
    name: "@s/gamma",
    version: "1.0.0",
    files: {
      "package.json": JSON.stringify({ dependencies: { beta: "1.0.0" }, directories: { bin: "programs" } }),
      "index.js": "module.exports = 'gamma';\n",
      "programs/one.js": "#!/usr/bin/env node\nconsole.log(1);\n",
    },
  },
  { name: "beta", version: "2.0.0", files: { "index.js": "module.exports = 'beta two';\n" } },
  {
    name: "delta",
    version: "1.0.0",
    files: {
      "package.json": JSON.stringify({ dependencies: { epsilon: ">=1.0.0" } }),
      "index.js": "module.exports = ['delta', require('epsilon')];\n",
      "more.js": "module.exports = 'more';\n",
    },
  },
  { name: "epsilon", version: "1.0.0" },
  { name: "epsilon", version: "2.0.0" },
];

/** Two allowlists whose trees share packages, delta with files in common and different dependencies. */
export const allowlists = (linker: string): readonly [string, string] => {
  const common = `linker: ${linker}\npackages:\n  alpha: 1.0.0\n  delta: 1.0.0\n`;
  return [`${common}  epsilon: 1.0.0\n`, `${common}  epsilon: 2.0.0\n  "@s/gamma": 1.0.0\n  beta2: npm:beta@2.0.0\n`];
};

/** Starts a registry and an empty host. */
export async function createHost(specs: readonly PackageSpec[] = packages): Promise<TestHost> {
  const root = makeTemp();
  const registry = await startRegistry(specs);
  const host = hostAt(root, registry);
  writeFileSync(join(root, "home/.npmrc"), `registry=${registry.url}/\n`);
  return {
    ...host,
    async [Symbol.asyncDispose]() {
      await registry.stop();
      removeTree(root);
    },
  };
}

function hostAt(root: string, registry: TestRegistry): TestHost {
  for (const folder of ["home", "project", "tmp"]) mkdirSync(join(root, folder), { recursive: true });
  const directory = join(root, "project");
  const dataRoot = join(root, "data/script-packages");
  const project = {
    directory,
    allowlist: join(directory, "script-packages.yaml"),
    lockfile: join(directory, "script-packages.lock"),
  };
  const ctx: Context = {
    project,
    dataRoot,
    platform: detectPlatform(),
    bun: process.execPath,
    version: "0.0.0",
    cores: 2,
    env: { PATH: process.env.PATH ?? "", HOME: join(root, "home") },
    home: join(root, "home"),
    temporary: join(root, "tmp"),
    who: "tester@host",
    command: "csp verify",
    offline: false,
    trustProject: false,
    cwd: "/",
    stores: [],
    channel: undefined,
    resolveTimeoutMs: 60_000,
    lockTimeoutMs: 5_000,
    now: Date.now,
    signal: new AbortController().signal,
    progress: () => {},
    warn: () => {},
    waiting: () => {},
  };
  return {
    ctx,
    paths: hostPaths(dataRoot),
    registry,
    async install(allowlist) {
      writeFileSync(project.allowlist, allowlist);
      await underInstallLock(ctx, async () => {
        await applyInstall(ctx, await planInstall(ctx, readProject(ctx, { frozen: false })), { reason: undefined });
      });
    },
    copy() {
      const other = makeTemp();
      const { status, stderr } = spawnSync("cp", ["-a", `${root}/.`, other]);
      if (status !== 0) throw new Error(String(stderr));
      return {
        ...hostAt(other, registry),
        async [Symbol.asyncDispose]() {
          removeTree(other);
        },
      };
    },
    async [Symbol.asyncDispose]() {},
  };
}

/** Every path below a folder with type, mode, size, times, inode and content: all that a reader must not change. */
export function picture(folder: string): Map<string, string> {
  const seen = new Map<string, string>();
  const visit = (path: string): void => {
    const stat = lstatSync(path);
    const facts = [stat.mode.toString(8), stat.size, stat.mtimeMs, stat.ctimeMs, stat.ino];
    if (stat.isSymbolicLink()) facts.push(readlinkSync(path));
    if (stat.isFile()) facts.push(Bun.hash(readFileSync(path)).toString(16));
    seen.set(path.slice(folder.length), facts.join(" "));
    if (stat.isDirectory()) for (const name of readdirSync(path).sort()) visit(join(path, name));
  };
  visit(folder);
  return seen;
}

/** All paths of one kind below a folder, absolute, in order; links are not followed. */
export function pathsBelow(folder: string, kind: "file" | "link" | "folder"): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      const type = entry.isFile() ? "file" : entry.isSymbolicLink() ? "link" : "folder";
      return [...(type === kind ? [path] : []), ...(type === "folder" ? pathsBelow(path, kind) : [])];
    })
    .sort();
}

/** Changes a file in place, whatever its mode, and leaves it the same file with the same mode. */
export function edit(path: string, change: (bytes: Buffer) => Uint8Array): void {
  const { mode } = lstatSync(path);
  const bytes = change(readFileSync(path));
  chmodSync(path, 0o644);
  writeFileSync(path, bytes);
  chmodSync(path, mode & 0o7777);
}

/** Turns one bit of a file round. */
export function flip(path: string, byte: number, bit: number): void {
  edit(path, (bytes) => {
    bytes[byte] = (bytes[byte] as number) ^ (1 << bit);
    return bytes;
  });
}
