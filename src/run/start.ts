/** Starts a script with its imports answered from one tree, and waits for its end. */
import { existsSync, mkdirSync, readFileSync, realpathSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { CspError, isCspError } from "../core/errors.ts";
import { quoted } from "../core/quote.ts";
import { guarded } from "../fs/os-error.ts";
import { createScratch, type Scratch } from "../fs/scratch.ts";
import { hasModulesAbove } from "./bun-guard.ts";
import { type CodeFile, codeFileName } from "./code-file.ts";
import { type Environment, scriptEnvironment } from "./environment.ts";
import type { RunInfo } from "./explain.ts";
import type { HookFiles } from "./hook-files.ts";
import { launch, type Runtime, type Source } from "./launch.ts";
import { placesOf } from "./places.ts";
import { holdSignals, type SignalSource, supervise } from "./supervise.ts";
import { scriptTsconfig } from "./tsconfig.ts";

export interface RunRequest {
  runtime: Runtime;
  /** Absolute path of the runtime. */
  runtimePath: string;
  /** `<data dir>/script-packages/trees/<lockfile hash>`. */
  tree: string;
  source: Source;
  args: readonly string[];
  cwd: string;
  /** The environment csp was started with. */
  env: Environment;
  /** Names of variables that are csp's own: tokens of the npm configuration, store credentials. */
  dropEnv: readonly string[];
  /** Directories for the scratch directory; the first that can be written is used and created if need be. */
  scratchIn: readonly string[];
  /** Open files that the script inherits, such as the lease: a kernel lock in them outlives csp. */
  inheritFds: readonly number[];
  timeoutMs?: number;
  /** Time the script has to end by itself after the timeout; 5,000 by default. */
  graceMs?: number;
  signals: SignalSource;
  /** Reads standard input to its end, for code that comes from there. */
  readStdin: () => Promise<string>;
  /** True where standard input is a terminal. */
  terminal: boolean;
  hooks: HookFiles;
  /** How the hooks start csp, see explain.ts. */
  explain: { command: readonly string[]; cwd: string };
}

export interface RunResult {
  /** Undefined where a signal ended the script. */
  exitCode: number | undefined;
  /** For the caller to raise again, so that its own parent sees the same end. */
  signal: NodeJS.Signals | undefined;
  timedOut: boolean;
}

/**
 * Runs the script to its end; standard streams are inherited. Throws CSP_SCRIPT_MISSING, CSP_BUN_MISSING or
 * CSP_NODE_MISSING before anything is started. The scratch directory is gone when this returns or throws.
 */
export async function runScript(request: RunRequest): Promise<RunResult> {
  const { runtime, cwd } = request;
  const source = checked(request.source, cwd);
  if (runtime === "node" && request.hooks.node === undefined) {
    throw new CspError("CSP_NODE_MISSING", {
      message: "scripts cannot run on Node from an unbuilt checkout of csp",
      hint: "run `npm run build` in the checkout",
    });
  }
  const tree = guarded(() => realpathSync(request.tree));
  // Whoever is ended from here on leaves a scratch directory behind.
  const held = holdSignals(request.signals);
  let scratch: Scratch | undefined;
  try {
    scratch = scratchFor(request.scratchIn);
    const { path: folder, fd } = scratch;
    writeFileSync(join(folder, "run.json"), JSON.stringify(runInfo(request)), { mode: 0o600 });
    const place = source.kind === "file" ? dirname(source.path) : cwd;
    writeFileSync(join(folder, "tsconfig.json"), scriptTsconfig(place), { mode: 0o600 });
    const kept: { code?: CodeFile } = {};
    const launching = launch({
      ...request,
      source,
      readFile: (path) => guarded(() => readFileSync(path, "utf8"), path),
      keepCode(text, standsFor) {
        kept.code = { path: join(folder, codeFileName(text)), standsFor };
        writeFileSync(kept.code.path, text, { mode: 0o600 });
        return kept.code.path;
      },
    });
    const ready = await Promise.race([launching, held.first]);
    if (typeof ready === "string") return { exitCode: undefined, signal: ready, timedOut: false };
    const { command, input } = ready;
    const env = scriptEnvironment({
      env: request.env,
      drop: request.dropEnv,
      tree,
      scratch: folder,
      guard: hasModulesAbove(placesOf(tree), existsSync),
      bunHook: request.hooks.bun,
      nodeHook: request.hooks.node,
      code: kept.code,
    });
    const child = spawn(command, runtime, {
      cwd,
      env,
      stdio: [input === undefined ? "inherit" : new Blob([input]), "inherit", "inherit", fd, ...request.inheritFds],
    });
    const { timedOut } = await supervise(child, {
      signals: request.signals,
      terminal: request.terminal,
      timeoutMs: request.timeoutMs,
      graceMs: request.graceMs ?? 5000,
    });
    const signal = (child.signalCode as NodeJS.Signals | null) ?? undefined;
    return { exitCode: signal === undefined ? (child.exitCode ?? undefined) : undefined, signal, timedOut };
  } finally {
    scratch?.remove();
    held.release();
  }
}

function checked(source: Source, cwd: string): Source {
  if (source.kind !== "file") return source;
  const path = resolve(cwd, source.path);
  const stat = guarded(() => statSync(path, { throwIfNoEntry: false }));
  if (stat?.isFile() || stat?.isFIFO()) return { kind: "file", path: realpathSync(path) };
  throw new CspError("CSP_SCRIPT_MISSING", {
    message: stat ? `${quoted(source.path)} is not a file` : `there is no file ${quoted(source.path)}`,
    hint: "a script is a path, `-` for standard input, or code after `-e`",
  });
}

/** A host may own the data directory and let others run from it, so its own place for scratch may be closed to us. */
function scratchFor(directories: readonly string[]): Scratch {
  let refused: unknown;
  for (const directory of directories) {
    try {
      guarded(() => mkdirSync(directory, { recursive: true }), directory);
      return createScratch(realpathSync(directory), "run");
    } catch (error) {
      if (!isCspError(error, "CSP_READ_ONLY")) throw error;
      refused ??= error;
    }
  }
  throw refused ?? new Error("no directory was given for the scratch directory");
}

function runInfo(request: RunRequest): RunInfo {
  return { version: 1, ...request.explain, nodeLoader: request.hooks.nodeLoader };
}

type SpawnOptions = NonNullable<Parameters<typeof Bun.spawn>[1]>;

function spawn(command: string[], runtime: Runtime, options: Pick<SpawnOptions, "cwd" | "env" | "stdio">) {
  try {
    return Bun.spawn(command, options as SpawnOptions);
  } catch (error) {
    const { code } = error as { code?: string };
    if (code !== "ENOENT" && code !== "EACCES" && code !== "ENOEXEC") throw error;
    throw new CspError(runtime === "bun" ? "CSP_BUN_MISSING" : "CSP_NODE_MISSING", {
      message: `${quoted(command[0] ?? "")} cannot be started`,
      cause: error,
    });
  }
}
