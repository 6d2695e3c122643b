/** A package directory as npm would lay it out, with the real launcher in it and something small to launch. */
import { chmodSync, copyFileSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { detectPlatform } from "../../../src/fs/host-platform.ts";

const bin = join(import.meta.dir, "../../../bin");

/** The name of the npm package with the bun for this host, without its scope. */
export const hostBuild = (() => {
  const { os, cpu, libc } = detectPlatform();
  return `bun-${os}-${cpu === "arm64" ? "aarch64" : cpu}${libc === "musl" ? "-musl" : ""}`;
})();

/** What stands in `bun/bin/bun.exe` until bun's install script has run. */
export const stubText = `echo "Error: Bun's postinstall script was not run." >&2\nexit 1\n`;

/** Puts csp into this directory; what it launches prints its arguments and what surrounds it. */
export function placeCsp(directory: string): void {
  mkdirSync(join(directory, "bin"), { recursive: true });
  mkdirSync(join(directory, "dist"));
  for (const name of ["csp", "find-bun"]) copyFileSync(join(bin, name), join(directory, "bin", name));
  writeFileSync(
    join(directory, "package.json"),
    '{"name":"checkstack-script-packages","version":"0.1.0","type":"module"}',
  );
  writeFileSync(join(directory, "dist", "part.js"), "export const part = 'part of csp';");
  writeFileSync(
    join(directory, "dist", "main.js"),
    `import fs from "node:fs";
import { part } from "./part.js";
const { argv, execArgv, env } = process;
console.log(JSON.stringify({ argv: argv.slice(2), execArgv, env, part, reads: typeof fs.readFileSync }));`,
  );
}

/** A stand-in for bun at this path: prints the path it was started by and its arguments, a line each. */
export function placeFakeBun(path: string): void {
  writeExecutable(path, `#!/bin/sh\nprintf '%s\\n' "$0" "$@"\n`);
}

/** The bun that runs this test, at this path. */
export function placeRealBun(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(process.execPath, path);
}

/** npm's bun package before its install script has run: two texts. */
export function placeStub(bunPackage: string): void {
  for (const name of ["bun.exe", "bunx.exe"]) writeExecutable(join(bunPackage, "bin", name), stubText);
}

/** npm's bun package after its install script has run, which moved the binary out of the platform's package. */
export function placeInstalled(bunPackage: string, platformPackage?: string): void {
  placeFakeBun(join(bunPackage, "bin", "bun.exe"));
  linkSync(join(bunPackage, "bin", "bun.exe"), join(bunPackage, "bin", "bunx.exe"));
  if (platformPackage === undefined) return;
  mkdirSync(join(platformPackage, "bin"), { recursive: true });
  writeFileSync(join(platformPackage, "package.json"), "{}");
}

/** Writes an executable file and the directories it needs. */
export function writeExecutable(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  chmodSync(path, 0o755);
}

/** Links one path to another by a relative link, as package managers do. */
export function link(path: string, target: string): void {
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(target, path);
}

/** How to start something. */
export interface Start {
  cwd?: string;
  env?: Record<string, string>;
}

/** Starts a command in an environment of its own: no bun can be found by PATH unless the test puts it there. */
export function start(command: readonly string[], { cwd = "/", env = {} }: Start = {}) {
  const child = Bun.spawnSync([...command], { cwd, env: { PATH: "/usr/bin:/bin", ...env }, stdin: "ignore" });
  return { code: child.exitCode, out: child.stdout.toString(), err: child.stderr.toString() };
}
