/** What `csp run` and `csp exec` share: options, the runtime's program, and how a child's end becomes csp's. */
import { resolve } from "node:path";
import type { Command } from "commander";
import { CspError } from "../core/errors.ts";
import { durationForm, parseDuration } from "../core/quantity.ts";
import type { RunOptions } from "../ops/run.ts";
import type { RunResult } from "../run/start.ts";
import type { CommonOptions, Report, Session } from "./command.ts";
import { isTerminal } from "./terminal.ts";

export interface RunFlags extends CommonOptions {
  runtime?: string;
  timeout?: string;
}

export function runtimeOptions(command: Command): void {
  command
    .option("--runtime <name>", "bun (default) or node")
    .option("--timeout <duration>", "end it after this time, as in 30s");
}

/** Everything of a run but the script. Throws CSP_USAGE, CSP_CONFIG or CSP_NODE_MISSING. */
export function runSettings(session: Session, options: RunFlags): Omit<RunOptions, "what" | "args"> {
  const runtime = options.runtime ?? "bun";
  if (runtime !== "bun" && runtime !== "node") {
    throw new CspError("CSP_USAGE", { message: `there is no runtime \`${runtime}\``, hint: "write `bun` or `node`" });
  }
  const timeoutMs = options.timeout === undefined ? undefined : parseDuration(options.timeout);
  if (options.timeout !== undefined && timeoutMs === undefined) {
    throw new CspError("CSP_CONFIG", {
      message: `\`--timeout ${options.timeout}\` is no duration`,
      hint: `write ${durationForm}`,
    });
  }
  return {
    runtime,
    runtimePath: runtime === "bun" ? process.execPath : findNode(),
    cwd: resolve(options.cwd ?? process.cwd()),
    timeoutMs,
    terminal: isTerminal(0),
    signals: process,
    readStdin: () => Bun.stdin.text(),
    explain: session.self(),
  };
}

function findNode(): string {
  const found = Bun.which("node");
  if (found !== null) return found;
  throw new CspError("CSP_NODE_MISSING", {
    message: "there is no `node` on the PATH",
    hint: "install Node.js, or run the script on bun (the default)",
  });
}

/** The child's end as csp's own: its exit status, its signal, or CSP_TIMEOUT. */
export function endOf(result: RunResult, options: RunFlags): Report {
  if (result.timedOut) {
    throw new CspError("CSP_TIMEOUT", {
      message: `the script was ended after ${options.timeout}`,
      hint: "give it more time with `--timeout`",
    });
  }
  const report: Report = { data: null, lines: [], silent: true };
  if (result.signal !== undefined) return { ...report, signal: result.signal, exit: 1 };
  return { ...report, exit: result.exitCode ?? 1 };
}
