/** A host with one tree, and user code surrounded by packages that no import may reach. */
import { afterAll, beforeAll, expect } from "bun:test";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import type { HookFiles } from "../../../src/run/hook-files.ts";
import type { RunRequest, RunResult } from "../../../src/run/start.ts";

export interface Host {
  root: string;
  /** `<data dir>/script-packages`. */
  data: string;
  tree: string;
  /** Where user code stands; every directory from here up has a `node_modules` with decoys. */
  scripts: string;
  /** Writes a file below `scripts` and returns its path. */
  write: (name: string, text: string) => string;
  remove: () => void;
}

export interface Outcome extends Partial<RunResult> {
  stdout: string;
  stderr: string;
  error?: string;
  message?: string;
  handlers?: number;
}

type Files = Record<string, string>;

/** Node, where the machine has one, to skip its tests by name elsewhere. */
export const nodePath: string | null = Bun.which("node");

const moduleJson = (name: string, rest: object = {}) => JSON.stringify({ name, version: "1.0.0", ...rest });

const instances: { id: string; name: string; files: Files; dependencies?: Files }[] = [
  {
    id: "dual@1.0.0-0",
    name: "dual",
    files: {
      "package.json": moduleJson("dual", {
        exports: {
          ".": { import: "./import.mjs", require: "./require.cjs" },
          "./sub": "./sub.cjs",
          "./files/*": "./lib/*.js",
          "./data.json": "./data.json",
        },
      }),
      "import.mjs": 'export default "dual by import"; export const url = import.meta.url;',
      "require.cjs": 'module.exports = "dual by require";',
      "sub.cjs": 'module.exports = "dual/sub";',
      "lib/one.js": 'module.exports = "dual/files/one";',
      "hidden.js": 'module.exports = "not exported";',
      "data.json": '{ "answer": 42 }',
    },
  },
  {
    id: "parent@1.0.0-0",
    name: "parent",
    files: {
      "package.json": moduleJson("parent", { main: "./main", bin: "./cli.js" }),
      "main.js":
        'exports.child = require("child"); exports.file = __filename; exports.ask = (name) => require(name); ' +
        "exports.askFrom = (name, from) => require(require.resolve(name, { paths: [from] })); " +
        "exports.load = (file) => import(file);",
      "cli.js":
        '#!/usr/bin/env node\nconsole.log("bin", require("child"), process.versions.bun ? "bun" : "node", ...process.argv.slice(2)); process.exit(7);\n',
      "tool.sh": '#!/bin/sh\necho "shell $1 $CSP_TREE"\n',
    },
    dependencies: { child: "child@1.0.0-0" },
  },
  {
    id: "child@1.0.0-0",
    name: "child",
    files: { "package.json": moduleJson("child"), "index.js": 'module.exports = "child of the tree";' },
  },
  {
    id: "@acme+tools@1.0.0-0",
    name: "@acme/tools",
    files: {
      "package.json": moduleJson("@acme/tools", { type: "module", exports: "./index.js" }),
      "index.js":
        'import child from "child"; export default "tools with " + child; export const ask = (name) => import(name);',
    },
    dependencies: { child: "child@1.0.0-0" },
  },
  {
    id: "react@1.0.0-0",
    name: "react",
    files: {
      "package.json": moduleJson("react"),
      "jsx-runtime.js": 'exports.jsx = exports.jsxs = (type) => "jsx of the tree: " + type;',
      "jsx-dev-runtime.js": 'exports.jsxDEV = (type) => "jsx of the tree: " + type;',
    },
  },
];

const roots = ["dual", "parent", "@acme/tools", "react"];
/** In every node_modules that must not be searched: names the tree has, a name only packages have, and names nobody has. */
const decoys = ["dual", "parent", "child", "@acme/tools", "react", "decoy", "local"];

export function makeHost(): Host {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "csp run-")));
  const project = join(root, "project");
  const data = join(project, ".data", "script-packages");
  const tree = join(data, "trees", "a".repeat(64));
  const scripts = join(project, "scripts");
  const place = (path: string, text: string) => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  };
  const link = (target: string, path: string) => {
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(relative(dirname(path), target), path);
  };
  const home = (id: string, name: string) => join(data, "packages", "v1", id, "node_modules", name);
  const nameOf = (id: string) => id.slice(0, id.lastIndexOf("@")).replace("+", "/");
  for (const { id, name, files, dependencies } of instances) {
    for (const [file, text] of Object.entries(files)) place(join(home(id, name), file), text);
    for (const [dependency, of] of Object.entries(dependencies ?? {})) {
      link(home(of, dependency), join(data, "packages", "v1", id, "node_modules", dependency));
    }
  }
  for (const { id } of instances) {
    if (roots.includes(nameOf(id))) link(home(id, nameOf(id)), join(tree, "node_modules", nameOf(id)));
  }
  link(join(tree, "node_modules", "parent", "cli.js"), join(tree, "node_modules", ".bin", "parent"));
  link(join(tree, "node_modules", "parent", "tool.sh"), join(tree, "node_modules", ".bin", "tool"));
  link(tree, join(data, "current"));
  for (const above of [scripts, project, root, join(root, "elsewhere"), join(root, "home", ".node_modules", "..")]) {
    for (const name of decoys) {
      const home = join(above, "node_modules", name);
      place(join(home, "package.json"), moduleJson(name));
      for (const file of ["index.js", "sub.js", "jsx-runtime.js", "jsx-dev-runtime.js"]) {
        place(join(home, file), `module.exports = "DECOY ${name}";`);
      }
    }
  }
  place(join(project, "decoy.ts"), 'export default "DECOY by tsconfig";');
  const paths = Object.fromEntries([...decoys, "*"].map((name) => [name, ["./decoy.ts"]]));
  place(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions: { baseUrl: ".", paths } }));
  // The project claims a package's name for itself, and a subpath import for a package.
  const claims = { name: "dual", exports: "./decoy.ts", imports: { "#lib": "./scripts/lib.mts", "#child": "child" } };
  place(join(project, "package.json"), JSON.stringify(claims));
  place(join(project, "bunfig.toml"), 'preload = ["./decoy-preload.ts"]\n');
  place(join(project, "decoy-preload.ts"), 'console.log("DECOY by bunfig");');
  place(join(project, ".env"), "FROM_ENV_FILE=1\n");
  return {
    root,
    data,
    tree,
    scripts,
    write: (name, text) => place(join(scripts, name), text),
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** Builds the hooks as `npm run build` does. */
export async function buildHooks(directory: string): Promise<HookFiles> {
  const source = (name: string) => join(import.meta.dir, "..", "..", "..", "src", "run", name);
  const build = (name: string, target: "bun" | "node", format: "esm" | "cjs", naming: string) =>
    Bun.build({ entrypoints: [source(name)], outdir: directory, target, format, naming, minify: true });
  await build("hook-bun.ts", "bun", "esm", "hook-bun.js");
  await build("hook-node.ts", "node", "cjs", "hook-node.cjs");
  await build("hook-node-loader.ts", "node", "esm", "hook-node-loader.mjs");
  const path = (name: string) => join(directory, name);
  return { bun: path("hook-bun.js"), node: path("hook-node.cjs"), nodeLoader: path("hook-node-loader.mjs") };
}

export interface Place {
  host: Host;
  hooks: HookFiles;
}

/** One host for all tests of a file, which must call this at its top level. */
export function sharedPlace(): () => Place {
  let place: Place | undefined;
  beforeAll(async () => {
    const host = makeHost();
    place = { host, hooks: await buildHooks(join(host.root, "dist")) };
  });
  afterAll(() => place?.host.remove());
  return () => {
    if (place === undefined) throw new Error("asked for outside a test");
    return place;
  };
}

/** Prints the outcome of each attempt on a line of its own, errors with their code and first line. */
export const attempts = `
const attempt = async (what) => { try { const found = await what(); console.log(found?.default ?? found); } catch (error) { console.log(error.code, error.message.split("\\n")[0]); } };
`;

/** Runs to a clean end and gives back what was printed, line by line. */
export async function printed({ host, hooks }: Place, options: RunOptions): Promise<string[]> {
  const { stdout, stderr, exitCode, error, message } = await run(host, hooks, options);
  expect({ exitCode, stderr, error, message }).toEqual({
    exitCode: 0,
    stderr: "",
    error: undefined,
    message: undefined,
  });
  return stdout.trimEnd().split("\n");
}

export interface RunOptions extends Partial<Omit<RunRequest, "signals" | "env" | "readStdin">> {
  env?: Record<string, string>;
  stdin?: string;
  /** A file that the runner opens for the script to inherit. */
  inherit?: string;
  /** Called once the script has printed something. */
  onOutput?: (runner: { kill: (signal: NodeJS.Signals) => void }, text: string) => void;
}

/** Runs a script through `runScript` in a process of its own, started in the scripts' directory. */
export async function run(host: Host, hooks: HookFiles, options: RunOptions): Promise<Outcome> {
  const { env = {}, stdin = "", onOutput, ...request } = options;
  const files = mkdtempSync(join(host.root, "runner-"));
  const full = {
    runtime: "bun",
    runtimePath: process.execPath,
    tree: host.tree,
    args: [],
    cwd: host.scripts,
    dropEnv: [],
    scratchIn: [join(host.data, ".runs")],
    inheritFds: [],
    terminal: false,
    hooks,
    explain: { command: ["/nonexistent/csp"], cwd: host.root },
    ...request,
  };
  if (full.runtime === "node" && request.runtimePath === undefined) full.runtimePath = nodePath ?? "";
  writeFileSync(join(files, "request.json"), JSON.stringify(full));
  const result = join(files, "result.json");
  const runner = spawn(
    process.execPath,
    [
      ...["--config=/dev/null", "--no-env-file", "--tsconfig-override=/dev/null"],
      join(import.meta.dir, "runner.ts"),
      join(files, "request.json"),
      result,
    ],
    {
      cwd: host.scripts,
      env: {
        PATH: process.env.PATH ?? "",
        HOME: join(host.root, "home"),
        NODE_PATH: join(host.root, "elsewhere", "node_modules"),
        // Nothing listens there: a package fetched on import would fail with a connection error, not with csp's words.
        npm_config_registry: "http://127.0.0.1:9/",
        ...env,
      },
      stdio: ["pipe", "pipe", "pipe"],
    },
  );
  runner.stdin.end(stdin);
  let stdout = "";
  let stderr = "";
  runner.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    onOutput?.(runner, text);
  });
  runner.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  await new Promise((resolve) => runner.on("close", resolve));
  const report = Bun.file(result);
  const outcome = (await report.exists()) ? (JSON.parse(readFileSync(result, "utf8")) as Outcome) : {};
  return { ...outcome, stdout, stderr };
}
