/** The commands that are stopped everywhere: how a host gets to where each begins. */
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readCurrent } from "../../src/tree/current.ts";
import { blobPath, leasePath, treePath } from "../../src/tree/layout.ts";
import type { PackageSpec } from "../support/packages.ts";
import { flip } from "../unit/verify/host.ts";
import type { Host } from "./host.ts";

export interface Scenario {
  name: string;
  /** Brings an empty host to where the command begins, and gives the command's words. */
  prepare(host: Host): Promise<string[]>;
  /** The first state is damaged, so it does not verify until the command is through. */
  damaged?: boolean;
  /** It is answered without the program. */
  quick?: boolean;
  /** What scripts can import in the end. */
  roots: Readonly<Record<string, string>>;
}

/** delta comes twice with the same bytes, for two closures, so that its second instance is linked from the first. */
export const packages: readonly PackageSpec[] = [
  {
    name: "alpha",
    version: "1.0.0",
    files: {
      "package.json": JSON.stringify({ dependencies: { beta: "1.0.0" }, bin: { alpha: "cli.js" } }),
      "index.js": "module.exports = ['alpha', require('beta')];\n",
      "cli.js": "#!/usr/bin/env node\nconsole.log('alpha');\n",
    },
  },
  { name: "beta", version: "1.0.0" },
  { name: "gamma", version: "1.0.0" },
  { name: "gamma", version: "2.0.0" },
  {
    name: "delta",
    version: "1.0.0",
    files: {
      "package.json": JSON.stringify({ dependencies: { epsilon: ">=1.0.0" } }),
      "index.js": "module.exports = ['delta', require('epsilon')];\n",
      "lib/more.js": "module.exports = 'more';\n",
    },
  },
  { name: "epsilon", version: "1.0.0" },
  { name: "epsilon", version: "2.0.0" },
];

const first = { alpha: "1.0.0", gamma: "1.0.0", delta: "1.0.0", epsilon: "1.0.0" };
const second = { alpha: "1.0.0", gamma: "2.0.0", delta: "1.0.0", epsilon: "2.0.0" };
const little = { alpha: "1.0.0" };

const collectNow = ["--tree-grace", "0s", "--blob-grace", "0s"];

/** In the order in which somebody would come upon them. */
export const scenarios: readonly Scenario[] = [
  {
    name: "the first installation",
    roots: first,
    async prepare(host) {
      host.write("yaml", allowlist(first));
      return ["install"];
    },
  },
  {
    name: "a switch to another lockfile: a blob from the cache, one from the registry, links to files that are here",
    roots: second,
    async prepare(host) {
      const texts = await lockfiles(host, first, second);
      // Its blob is in the cache and nothing else.
      host.write("yaml", allowlist({ gamma: "2.0.0" }));
      await host.succeed("install");
      rmSync(join(host.project, "script-packages.lock"));
      await installed(host, texts, 0, first);
      await host.succeed("gc", "--trees", "--keep", "0", "--tree-grace", "0s");
      put(host, texts, 1, second);
      return ["install", "--frozen-lockfile"];
    },
  },
  {
    name: "an installation of hoisted trees",
    roots: second,
    async prepare(host) {
      const hoisted = `linker: hoisted\n${allowlist(first)}`;
      host.write("yaml", hoisted);
      await host.succeed("install");
      host.write("yaml", `linker: hoisted\n${allowlist(second)}`);
      return ["install"];
    },
  },
  {
    name: "an installation whose packages are all here",
    roots: little,
    async prepare(host) {
      host.write("yaml", allowlist(first));
      await host.succeed("install");
      host.write("yaml", allowlist(little));
      return ["install"];
    },
  },
  {
    name: "an added package: allowlist, lockfile and host together",
    roots: { ...little, gamma: "2.0.0" },
    async prepare(host) {
      host.write("yaml", allowlist(little));
      await host.succeed("install");
      return ["add", "gamma@2.0.0"];
    },
  },
  {
    name: "the return to a known lockfile whose tree is gone",
    quick: true,
    roots: first,
    async prepare(host) {
      const texts = await lockfiles(host, first, little);
      await installed(host, texts, 0, first);
      const hash = currentOf(host);
      await installed(host, texts, 1, little);
      rmSync(treePath(host.paths, hash), { recursive: true });
      put(host, texts, 0, first);
      return ["install"];
    },
  },
  {
    name: "a rollback",
    quick: true,
    roots: first,
    async prepare(host) {
      const texts = await lockfiles(host, first, second);
      await installed(host, texts, 0, first);
      const hash = currentOf(host);
      await installed(host, texts, 1, second);
      return ["rollback", hash.slice(0, 16)];
    },
  },
  {
    name: "a collection of trees, packages, blobs and leftovers",
    roots: little,
    async prepare(host) {
      const texts = await lockfiles(host, first, second, little);
      await installed(host, texts, 0, first);
      await installed(host, texts, 1, second);
      await installed(host, texts, 2, little);
      leaveLeftovers(host);
      return ["gc", "--keep", "1", ...collectNow];
    },
  },
  {
    name: "a repair of a package, a blob, a tree and a lease",
    roots: first,
    damaged: true,
    async prepare(host) {
      host.write("yaml", allowlist(first));
      await host.succeed("install");
      damage(host);
      return ["verify", "--deep", "--repair"];
    },
  },
];

function allowlist(roots: Readonly<Record<string, string>>): string {
  return `packages:\n${Object.entries(roots)
    .map(([name, version]) => `  ${name}: ${version}\n`)
    .join("")}`;
}

/** Lockfiles of these roots, made without touching the host. */
async function lockfiles(host: Host, ...sets: Readonly<Record<string, string>>[]): Promise<string[]> {
  const texts: string[] = [];
  for (const roots of sets) {
    host.write("yaml", allowlist(roots));
    await host.succeed("lock");
    texts.push(host.read("lock"));
    rmSync(join(host.project, "script-packages.lock"));
  }
  return texts;
}

function put(host: Host, texts: readonly string[], index: number, roots: Readonly<Record<string, string>>): void {
  host.write("yaml", allowlist(roots));
  host.write("lock", texts[index] as string);
}

async function installed(
  host: Host,
  texts: readonly string[],
  index: number,
  roots: Readonly<Record<string, string>>,
): Promise<void> {
  put(host, texts, index, roots);
  await host.succeed("install");
}

function currentOf({ paths }: Host): string {
  const hash = readCurrent(paths);
  if (hash === undefined) throw new Error("nothing is installed");
  return hash;
}

/** What a killed installation, a killed replacement and a repair leave. */
function leaveLeftovers({ paths }: Host): void {
  const scratch = join(paths.tmp, "install-4194305-0");
  mkdirSync(join(scratch, "blobs"), { recursive: true });
  for (const file of [join(scratch, ".lock"), join(scratch, "blobs/half"), join(paths.tmp, ".csp-4194305-1")]) {
    writeFileSync(file, "half");
  }
  symlinkSync("trees/nowhere", join(paths.root, ".csp-4194305-0"));
  mkdirSync(join(paths.quarantine, "old-1"), { recursive: true });
  writeFileSync(join(paths.quarantine, "old-1/file"), "damaged");
}

function damage(host: Host): void {
  const { paths, registry } = host;
  const tree = treePath(paths, currentOf(host));
  flip(join(tree, "node_modules/alpha/index.js"), 3, 1);
  const { digest } = registry.package("gamma", "1.0.0");
  flip(blobPath(paths, digest), 20, 4);
  unlinkSync(join(tree, "node_modules/delta"));
  symlinkSync("epsilon", join(tree, "node_modules/delta"));
  unlinkSync(leasePath(paths, currentOf(host)));
}

/** What is wrong with the files that scripts of the current tree import, by what the packages were made of. */
export function wrongImports({ project }: Host, roots: Scenario["roots"]): string[] {
  const modules = join(project, ".data/script-packages/current/node_modules");
  return Object.entries(roots).flatMap(([name, version]) => {
    const spec = packages.find((each) => each.name === name && each.version === version);
    const { "package.json": _, ...files } = spec?.files ?? {};
    const wanted = Object.keys(files).length > 0 ? files : { "index.js": `module.exports = "${name}@${version}";\n` };
    return Object.entries(wanted).flatMap(([path, text]) => {
      const file = join(modules, name, path);
      const right = existsSync(file) && readFileSync(file, "utf8") === text;
      return right ? [] : [`${name}/${path} is not what was published`];
    });
  });
}
