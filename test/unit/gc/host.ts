/** Small hosts for tests: a data directory with trees, package instances and blobs, made by hand, and a clock to turn. */
import {
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { createLockFile } from "../../../src/fs/lock.ts";
import type { Context } from "../../../src/ops/context.ts";
import type { GcOptions } from "../../../src/ops/gc/plan.ts";
import { switchTo } from "../../../src/ops/switch.ts";
import { blobPath, type HostPaths, hostPaths, instancePath, treePath } from "../../../src/tree/layout.ts";
import { makeTemp, removeTree } from "../../support/temp.ts";

export const second = 1000;
export const minute = 60 * second;
export const hour = 60 * minute;
export const day = 24 * hour;

export interface Host {
  paths: HostPaths;
  ctx: Context;
  /** Milliseconds since 1970; turn it as you like. */
  clock: { now: number };
  warnings: string[];
  /** Adds a tree of packages `name@version`, or `name@version/closure` for another instance of the same files. */
  tree(letter: string, packages: readonly string[]): string;
  /** Adds a tree where it is missing, and switches to it. */
  install(letter: string, packages: readonly string[], reason?: string): Promise<string>;
  remove(): void;
}

/** The hash that the tests call by a letter. */
export function hashOf(letter: string): string {
  return letter.repeat(64).slice(0, 64);
}

export function digestOf(pkg: string): string {
  const [nameAndVersion = ""] = pkg.split(/\/(?=[a-z0-9]+$)/);
  return new Bun.CryptoHasher("sha512").update(nameAndVersion).digest("hex");
}

export function idOf(pkg: string): string {
  const [nameAndVersion = "", closure = ""] = pkg.split(/\/(?=[a-z0-9]+$)/);
  const hash = new Bun.CryptoHasher("sha256").update(`${nameAndVersion} ${closure}`).digest("hex");
  return `${nameAndVersion.replace("/", "+")}-${hash.slice(0, 32)}`;
}

/** All that gc can do, with the settings of an allowlist that says nothing. */
export function everything(changes: Partial<GcOptions> = {}): GcOptions {
  return { trees: true, blobs: true, leftovers: true, limits: {}, maxSize: undefined, explain: true, ...changes };
}

export function makeHost(): Host {
  const directory = makeTemp();
  const paths = hostPaths(join(directory, "script-packages"));
  const folders = [paths.locks, paths.cache, paths.packages, paths.trees, paths.leases, paths.tmp];
  for (const folder of folders) mkdirSync(folder, { recursive: true });
  createLockFile(paths.gcLock, 0o600);
  const clock = { now: Date.UTC(2026, 0, 1) };
  const warnings: string[] = [];
  const ctx = contextOf(directory, clock, warnings);
  const host: Host = {
    paths,
    ctx,
    clock,
    warnings,
    tree(letter, packages) {
      const hash = hashOf(letter);
      for (const pkg of packages) addInstance(paths, pkg);
      addTree(paths, hash, packages);
      return hash;
    },
    async install(letter, packages, reason) {
      if (!readdirSync(paths.trees).includes(hashOf(letter))) host.tree(letter, packages);
      await switchTo(ctx, hashOf(letter), reason);
      return hashOf(letter);
    },
    remove: () => removeTree(directory),
  };
  return host;
}

function contextOf(directory: string, clock: { now: number }, warnings: string[]): Context {
  return {
    project: {
      directory,
      allowlist: join(directory, "script-packages.yaml"),
      lockfile: join(directory, "script-packages.lock"),
    },
    dataRoot: join(directory, "script-packages"),
    platform: { os: "linux", cpu: "x64", libc: "glibc" },
    bun: process.execPath,
    version: "0.0.0",
    cores: 1,
    env: {},
    home: undefined,
    temporary: directory,
    who: "tester@here",
    command: "csp test",
    offline: true,
    trustProject: false,
    cwd: "/",
    stores: [],
    channel: undefined,
    resolveTimeoutMs: 1000,
    lockTimeoutMs: 0,
    now: () => clock.now,
    signal: new AbortController().signal,
    progress: () => {},
    warn: ({ message }) => warnings.push(message),
    waiting: () => {},
  };
}

/** Every name below the data directory, with the text of files and the target of links. */
export function snapshot({ paths }: Host): string[] {
  const names = [...new Bun.Glob("**").scanSync({ cwd: paths.root, dot: true, onlyFiles: false })].sort();
  return names.map((name) => {
    const at = join(paths.root, name);
    const stat = lstatSync(at);
    if (stat.isSymbolicLink()) return `${name} -> ${readlinkSync(at)}`;
    return stat.isFile() ? `${name}: ${readFileSync(at, "latin1")}` : name;
  });
}

/** 1,000 bytes of files; instances that differ in their closure only share them by hard links, as csp builds them. */
function addInstance(paths: HostPaths, pkg: string): void {
  const id = idOf(pkg);
  const folder = instancePath(paths, id);
  if (readdirSync(paths.packages).includes(id)) return;
  const name = id.slice(0, id.lastIndexOf("@")).replace("+", "/");
  const donor = readdirSync(paths.packages).find((other) => other.startsWith(id.slice(0, -32)));
  const files = join(folder, "node_modules", name);
  mkdirSync(files, { recursive: true });
  const manifest = JSON.stringify({ name });
  const contents = { "package.json": manifest, "index.js": "x".repeat(1000 - manifest.length) };
  for (const [file, text] of Object.entries(contents)) {
    if (donor === undefined) writeFileSync(join(files, file), text);
    else linkSync(join(instancePath(paths, donor), "node_modules", name, file), join(files, file));
  }
  const digest = digestOf(pkg);
  const description = { format: 1, id, name, version: "1", digest, files: 2, bytes: 1000, links: [] };
  writeFileSync(join(folder, "instance.json"), JSON.stringify(description));
  const blob = blobPath(paths, digest);
  mkdirSync(dirname(blob), { recursive: true });
  writeFileSync(blob, "b".repeat(100));
}

function addTree(paths: HostPaths, hash: string, packages: readonly string[]): void {
  const folder = treePath(paths, hash);
  mkdirSync(join(folder, "node_modules"), { recursive: true });
  const roots = packages.map((pkg) => {
    const id = idOf(pkg);
    const name = id.slice(0, id.lastIndexOf("@")).replace("+", "/");
    return { name, package: name, version: "1", id };
  });
  const named = [...new Map(roots.map((root) => [root.name, root])).values()];
  const links = named.map(({ name, id }) => {
    const up = "../".repeat(name.split("/").length + 2);
    return { path: `node_modules/${name}`, target: `${up}packages/v1/${id}/node_modules/${name}` };
  });
  for (const { path, target } of links) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    symlinkSync(target, join(folder, path));
  }
  const description = {
    format: 1,
    hash,
    linker: "isolated",
    platform: { os: "linux", cpu: "x64", libc: "glibc" },
    roots: named,
    instances: packages.map(idOf),
    links,
    bins: [],
    skipped: [],
    blobBytes: 0,
  };
  writeFileSync(join(folder, "script-packages.lock"), "{}\n");
  writeFileSync(join(folder, "tree.json"), JSON.stringify(description));
}
