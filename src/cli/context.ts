/** The surroundings of a command as values: the only place that reads environment, working directory and machine. */
import { existsSync } from "node:fs";
import { availableParallelism, homedir, tmpdir } from "node:os";
import { resolve } from "node:path";
import { CspError, type Warning } from "../core/errors.ts";
import { durationForm, parseDuration, parseSize, sizeForm } from "../core/quantity.ts";
import { detectPlatform } from "../fs/host-platform.ts";
import { describeHolder } from "../fs/lock-holder.ts";
import type { Context } from "../ops/context.ts";
import { absoluteAddress } from "../ops/store-address.ts";
import type { CommonOptions } from "./command.ts";
import { dataRoot, findProject, projectIn } from "./place.ts";
import type { Reporter } from "./progress.ts";
import type { Interrupt } from "./signals.ts";
import { version } from "./version.ts";
import { whoIs } from "./who.ts";

/** Builds the context of a command. Throws CSP_CONFIG for values that cannot be used. */
export function createContext(
  options: CommonOptions,
  title: string,
  outside: { reporter: Reporter; interrupt: Interrupt; warn: (warning: Warning) => void; here: boolean },
): Context {
  const { env } = process;
  const cwd = resolve(options.cwd ?? process.cwd());
  if (!existsSync(cwd)) {
    throw new CspError("CSP_USAGE", {
      message: `there is no folder \`${cwd}\``,
      hint: "say another one with `--cwd <dir>`",
    });
  }
  const directory = outside.here ? cwd : findProject(cwd);
  return {
    project: projectIn(directory),
    dataRoot: dataRoot(options.dataDir, env.CHECKSTACK_DATA_DIR, directory),
    platform: detectPlatform(),
    bun: process.execPath,
    version,
    cores: availableParallelism(),
    env,
    home: env.HOME ?? homedir(),
    temporary: tmpdir(),
    who: whoIs(env),
    command: title,
    offline: options.offline === true,
    trustProject: options.trustProjectNpmrc === true,
    cwd,
    stores: (Array.isArray(options.store) ? options.store : words(env.CSP_STORE)).map((address) =>
      absoluteAddress(address, cwd),
    ),
    channel: options.channel ?? (env.CSP_CHANNEL || undefined),
    resolveTimeoutMs: duration(options.resolveTimeout ?? env.CSP_RESOLVE_TIMEOUT, "--resolve-timeout", 300_000),
    lockTimeoutMs: duration(options.lockTimeout ?? env.CSP_LOCK_TIMEOUT, "--lock-timeout", 600_000),
    minimumFreeSpace: size(options.minimumFreeSpace ?? env.CSP_MINIMUM_FREE_SPACE, "--minimum-free-space"),
    now: Date.now,
    signal: outside.interrupt.signal,
    progress: outside.reporter.progress,
    warn: outside.warn,
    waiting: (holder) => outside.reporter.notice(`waiting for ${describeHolder(holder)}`),
  };
}

function words(text: string | undefined): string[] {
  return text?.split(/\s+/).filter((word) => word !== "") ?? [];
}

function duration(text: string | undefined, name: string, otherwise: number): number {
  if (text === undefined || text === "") return otherwise;
  const parsed = parseDuration(text);
  if (parsed !== undefined) return parsed;
  throw new CspError("CSP_CONFIG", { message: `\`${name} ${text}\` is no duration`, hint: `write ${durationForm}` });
}

function size(text: string | undefined, name: string): number | undefined {
  if (text === undefined || text === "") return undefined;
  const parsed = parseSize(text);
  if (parsed !== undefined) return parsed;
  throw new CspError("CSP_CONFIG", { message: `\`${name} ${text}\` is no size`, hint: `write ${sizeForm}` });
}
