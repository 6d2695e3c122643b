/** The package managers themselves, with a packed csp and the bun of the registry. Downloads some 40 MB at first. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { meets } from "../../support/needs.ts";
import { makeTemp, removeTree } from "../../support/temp.ts";
import { placeCsp } from "./package-box.ts";

const manifest = await Bun.file(join(import.meta.dir, "../../../package.json")).json();
const wanted = meets("network") && meets("npm");
const name = wanted ? (label: string) => label : (label: string) => `${label} (needs network, npm)`;
const online = wanted ? test : test.skip;

let top: string;
let packed: string;

beforeAll(() => {
  if (!wanted) return;
  top = makeTemp();
  const source = join(top, "source");
  placeCsp(source);
  const { name, version, type, bin } = manifest;
  const dependencies = { bun: manifest.dependencies.bun };
  writeFileSync(join(source, "package.json"), JSON.stringify({ name, version, type, bin, dependencies }));
  run(["npm", "pack", "--pack-destination", top], source);
  packed = join(top, readdirSync(top).find((file) => file.endsWith(".tgz")) ?? "");
});
afterAll(() => {
  if (wanted) removeTree(top);
});

/** Runs a command that must succeed; returns what it printed. PATH has no bun of its own. */
function run(command: string[], cwd: string, env: Record<string, string> = {}): string {
  const path = (process.env.PATH ?? "").split(":").filter((entry) => !existsSync(join(entry, "bun")));
  const child = Bun.spawnSync(command, { cwd, env: { ...process.env, PATH: path.join(":"), ...env } });
  if (child.exitCode !== 0) throw new Error(`${command.join(" ")}: ${child.stdout}${child.stderr}`);
  return child.stdout.toString();
}

function project(label: string): string {
  const directory = join(top, label);
  mkdirSync(directory);
  writeFileSync(join(directory, "package.json"), '{"name":"project","version":"1.0.0"}');
  return directory;
}

function expectStart(command: string[], cwd: string, env: Record<string, string> = {}): void {
  expect(JSON.parse(run([...command, "a b"], cwd, env))).toMatchObject({ argv: ["a b"], part: "part of csp" });
}

for (const flag of ["--ignore-scripts", "--foreground-scripts"]) {
  online(
    name(`npm install --global ${flag}`),
    () => {
      const prefix = project(`npm-global${flag}`);
      run(["npm", "install", "--global", "--prefix", prefix, flag, packed], prefix);
      expectStart([join(prefix, "bin/csp")], "/");
    },
    120_000,
  );

  online(
    name(`npm install ${flag}`),
    () => {
      const directory = project(`npm-local${flag}`);
      run(["npm", "install", flag, packed], directory);
      expectStart([join(directory, "node_modules/.bin/csp")], "/");
      expectStart(["npx", "csp"], directory);
    },
    120_000,
  );
}

online(
  name("npx with a package"),
  () => expectStart(["npx", "--yes", "--package", packed, "csp"], project("npx")),
  120_000,
);

online(
  name("npm's linked strategy"),
  () => {
    const directory = project("npm-linked");
    run(["npm", "install", "--install-strategy=linked", "--ignore-scripts", packed], directory);
    expectStart([join(directory, "node_modules/.bin/csp")], "/");
  },
  120_000,
);

online(
  name("pnpm"),
  () => {
    const tools = project("pnpm-itself");
    run(["npm", "install", "--ignore-scripts", "pnpm@10"], tools);
    const pnpm = join(tools, "node_modules/.bin/pnpm");
    const directory = project("pnpm");
    run([pnpm, "add", packed], directory, { npm_config_store_dir: join(top, "pnpm-store") });
    expectStart([join(directory, "node_modules/.bin/csp")], "/");
    expectStart([pnpm, "exec", "csp"], directory);
  },
  120_000,
);

for (const linker of ["hoisted", "isolated"]) {
  online(
    name(`bun add with the ${linker} linker`),
    () => {
      const directory = project(`bun-${linker}`);
      run([process.execPath, "add", "--linker", linker, packed], directory);
      expectStart([join(directory, "node_modules/.bin/csp")], "/");
    },
    120_000,
  );
}

online(
  name("bun add --global"),
  () => {
    const directory = project("bun-global");
    const env = { BUN_INSTALL: join(directory, "home") };
    run([process.execPath, "add", "--global", packed], directory, env);
    expectStart([join(directory, "home/bin/csp")], "/", env);
  },
  120_000,
);
