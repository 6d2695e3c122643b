import type { Lockfile } from "../core/lockfile.ts";
import { fits, platformName } from "../core/platform.ts";
import { binEnvironment, resolveBin } from "../run/bin.ts";
import { hookFiles } from "../run/hook-files.ts";
import type { Source } from "../run/launch.ts";
import { type RunResult, runScript } from "../run/start.ts";
import type { SignalSource } from "../run/supervise.ts";
import { readCurrent } from "../tree/current.ts";
import { readTree } from "../tree/description.ts";
import { hostPaths } from "../tree/layout.ts";
import type { Context } from "./context.ts";
import { leaseCurrent } from "./lease.ts";
import { readAllowlist, readLockfile } from "./project.ts";
import { readText } from "./text.ts";

export interface RunOptions {
  runtime: "bun" | "node";
  /** Absolute path of the runtime's program. */
  runtimePath: string;
  /** What to run: a source, or the name of a binary of an allowlisted package. */
  what: Source | { kind: "bin"; name: string };
  args: readonly string[];
  cwd: string;
  timeoutMs: number | undefined;
  /** True where standard input is a terminal, which sends Ctrl-C to the script by itself. */
  terminal: boolean;
  signals: SignalSource;
  readStdin: () => Promise<string>;
  /** How the script's process asks csp why an import failed: the words of the command. */
  explain: readonly string[];
}

/** Runs a script or a binary to its end on the tree that is current now. Throws CSP_BIN_MISSING for an unknown binary. */
export async function runOnCurrent(ctx: Context, options: RunOptions): Promise<RunResult> {
  const { folder, lease } = leaseCurrent(ctx);
  try {
    const { what, timeoutMs, explain, ...rest } = options;
    const isBin = what.kind === "bin";
    return await runScript({
      ...rest,
      source: isBin ? resolveBin(folder, what.name) : what,
      tree: folder,
      env: isBin ? binEnvironment(ctx.env, folder) : ctx.env,
      dropEnv: secretVariables(ctx),
      scratchIn: [hostPaths(ctx.dataRoot).runs, ctx.temporary],
      inheritFds: lease === undefined ? [] : [lease.fd],
      hooks: hookFiles(),
      explain: { command: explain, cwd: ctx.project.directory },
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
  } finally {
    lease?.release();
  }
}

/** Variables of csp's own: npm's settings, which may hold tokens, and the credentials of stores. */
function secretVariables(ctx: Context): string[] {
  return Object.keys(ctx.env).filter((name) => /^npm_config_|^CSP_STORE_/i.test(name));
}

/** Why the current tree has no package of this name, and the command that helps; the sentence is the first line. */
export function explainImport(ctx: Context, name: string): string[] {
  const paths = hostPaths(ctx.dataRoot);
  const current = readCurrent(paths);
  const tree = current === undefined ? undefined : readTree(paths, current);
  const skipped = tree?.skipped.find((each) => each.name === name);
  const allowlist = readText(ctx.project.allowlist) === undefined ? undefined : readAllowlist(ctx.project).allowlist;
  const entry = allowlist?.packages.get(name);
  const lockfile = readLockfile(ctx.project)?.lockfile;
  const locked = lockfile?.packages.get(name);
  if (locked !== undefined && entry?.enabled !== false && (entry !== undefined || isRoot(lockfile, name))) {
    if (skipped !== undefined || !fits(locked.limits, ctx.platform)) {
      const { os, cpu, libc } = locked.limits;
      const limits = [os, cpu, libc].filter((list) => list.length > 0).map((list) => list.join(" or "));
      return [
        `\`${name}\` does not run on ${platformName(ctx.platform)}: it is for ${limits.join(", ")}`,
        `help: run the script on such a host, or import it only there; \`csp list ${name}\` shows its state`,
      ];
    }
    return [`\`${name}\` is locked, but not in the current tree of this host`, "help: run `csp install`"];
  }
  if (entry?.enabled === false) return [`\`${name}\` is disabled in the allowlist`, `help: run \`csp enable ${name}\``];
  if (entry !== undefined)
    return [`\`${name}\` is allowed, but not locked`, "help: run `csp lock`, then `csp install`"];
  const transitive = [...(lockfile?.packages.values() ?? [])].some((pkg) => pkg.name === name);
  const only = transitive ? ", only a dependency of allowed packages" : "";
  return [`\`${name}\` is not in the allowlist${only}`, `help: run \`csp add ${name}\``];
}

function isRoot(lockfile: Lockfile | undefined, name: string): boolean {
  return (
    lockfile !== undefined &&
    (Object.hasOwn(lockfile.dependencies, name) || Object.hasOwn(lockfile.optionalDependencies, name))
  );
}
