/** What no tracked file may say: the package registry of a machine, paths of a machine, where the lockfile's packages came from. */
import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dir, "..");

function run(program: string, ...args: string[]): string | undefined {
  const { status, stdout } = spawnSync(program, args, { cwd: root, encoding: "utf8" });
  return status === 0 ? stdout : undefined;
}

const listed = run("git", "-c", `safe.directory=${root}`, "ls-files", "-z");
const tracked = (listed ?? "").split("\0").filter((path) => {
  return path !== "" && statSync(join(root, path), { throwIfNoEntry: false })?.isFile();
});
const inCheckout = listed === undefined ? test.skip : test;
const name = (text: string) => (listed === undefined ? `${text} (needs git)` : text);

/** Lines of tracked text files in which one of the patterns stands. */
function linesWith(patterns: readonly RegExp[]): string[] {
  return tracked.flatMap((path) => {
    const text = readFileSync(join(root, path), "utf8");
    if (text.includes("\0") || !patterns.some((pattern) => pattern.test(text))) return [];
    return text.split("\n").flatMap((line, index) => {
      return patterns.some((pattern) => pattern.test(line))
        ? [`${path}:${index + 1}: ${line.trim().slice(0, 200)}`]
        : [];
    });
  });
}

/** Host of npm's configuration on this machine, and the public ones, in parts so that this file does not name them. */
function registryHosts(): string[] {
  const configured = URL.parse(run("npm", "config", "get", "registry")?.trim() ?? "")?.host;
  const hosts = [["npmjs", "org"].join("."), ["yarnpkg", "com"].join("."), configured];
  return hosts.filter(
    (host) => host !== undefined && host !== "" && !/^(?:localhost|127\.0\.0\.1)\b/.test(host),
  ) as string[];
}

inCheckout(name("no file names a package registry"), () => {
  expect(tracked).toContain("package.json");
  expect(linesWith(registryHosts().map((host) => new RegExp(RegExp.escape(host), "i")))).toEqual([]);
});

inCheckout(name("no file carries a path of a machine"), () => {
  const places = ["work", "farm", "builds", "workspace"].map((top) => new RegExp(`(?:^|[^\\w.$}-])/${top}/`));
  const own = [root, homedir()].filter((path) => path.split("/").length > 2);
  expect(linesWith([...places, ...own.map((path) => new RegExp(`${RegExp.escape(path)}(?![\\w-])`))])).toEqual([]);
});

interface LockedPackage {
  version?: string;
  resolved?: string;
  integrity?: string;
  dev?: boolean;
  optional?: boolean;
  optionalDependencies?: Record<string, string>;
}

const packageLock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
  packages: Record<string, LockedPackage>;
};
const locked = Object.entries(packageLock.packages).filter(([path]) => path !== "");

test("the package lock says what, not where from", () => {
  expect(locked.length).toBeGreaterThan(0);
  expect(locked.filter(([, entry]) => entry.resolved !== undefined).map(([path]) => path)).toEqual([]);
});

test("the package lock has a strong hash for all that a user installs", () => {
  const weak = locked.filter(([, entry]) => !entry.integrity?.startsWith("sha512-"));
  // Tools of other platforms, which a registry may lack, are locked by version only.
  expect(weak.filter(([, entry]) => !(entry.dev && entry.optional && entry.version)).map(([path]) => path)).toEqual([]);
});

test("the package lock names every optional package: npm ci refuses one that does not", () => {
  const wanted = locked.flatMap(([, entry]) => Object.keys(entry.optionalDependencies ?? {}));
  const names = new Set(locked.map(([path]) => path.replace(/^.*node_modules\//, "")));
  expect(wanted.filter((each) => !names.has(each))).toEqual([]);
});
