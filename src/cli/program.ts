/**
 * From argv to an exit status: finds the command, loads only it, runs it, and prints what it returns. Output policy:
 * stdout carries the result alone, everything else goes to stderr; with `--json` stdout is one document, also on failure.
 */
import { resolve } from "node:path";
import { Command, CommanderError } from "commander";
import { type CspError, isCspError, type Warning } from "../core/errors.ts";
import { describeOsError } from "../fs/os-error.ts";
import { catalog, findCommand } from "./catalog/catalog.ts";
import type { CatalogEntry } from "./catalog/entry.ts";
import { isCi } from "./ci.ts";
import type { CommandModule, CommonOptions, Report, Session } from "./command.ts";
import { createContext } from "./context.ts";
import { envelope } from "./envelope.ts";
import { configureHelp, shortHelp } from "./help.ts";
import { annotation, errorLines, warningLines } from "./messages.ts";
import { addCommonOptions, commandName, usageError } from "./options.ts";
import { createPaint, wantsColour } from "./paint.ts";
import { createReporter, type Reporter } from "./progress.ts";
import { handleSignals, type Interrupt } from "./signals.ts";
import { isTerminal, writeMessage, writeResult } from "./terminal.ts";

/** Runs csp with these arguments and ends the process. */
export async function main(words: readonly string[]): Promise<void> {
  // `csp help install` is `csp install --help`, so that the one command is loaded.
  const argv = words[0] !== "help" ? words : words.length === 1 ? [] : [...words.slice(1), "--help"];
  const json = argv.slice(0, argv.includes("--") ? argv.indexOf("--") : undefined).includes("--json");
  const end = await runProgram(argv, json);
  if (end.signal !== undefined) {
    process.removeAllListeners(end.signal);
    process.kill(process.pid, end.signal);
    // Delivered before the next turn of the event loop; a shell's 128 + n where it is ignored.
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  process.exit(end.exit);
}

interface End {
  exit: number;
  signal?: NodeJS.Signals;
}

async function runProgram(argv: readonly string[], json: boolean): Promise<End> {
  const name = commandName(argv);
  const entry = name === undefined ? undefined : findCommand(name);
  const warnings: Warning[] = [];
  let options: CommonOptions = json ? { json } : {};
  let reporter: Reporter | undefined;
  const interrupt = handleSignals();
  try {
    const module = await entry?.load();
    const parsed = parse(argv, name, entry, module);
    if (parsed === "short help") await writeResult(shortHelp());
    if (parsed === "short help" || parsed === "shown") return { exit: 0 };
    options = parsed.options;
    // Trees are shared: what csp writes can be read by every user, whatever this one's umask says.
    if (parsed.entry.mutates) process.umask(0o022);
    reporter = createReporter(options, process.env, isTerminal(2) && !isCi(process.env));
    const session = await createSession(
      parsed.entry,
      name ?? parsed.entry.name,
      options,
      warnings,
      reporter,
      interrupt,
    );
    const report = await parsed.module.run(session, parsed.args, options);
    const more =
      report.switched === true ? await (await import("./after-switch.ts")).afterSwitch(session.context()) : [];
    reporter.end();
    await printReport({ ...report, lines: [...report.lines, ...more] }, parsed.entry, options, warnings);
    return { exit: report.exit ?? 0, ...(report.signal === undefined ? {} : { signal: report.signal }) };
  } catch (thrown) {
    reporter?.end();
    if (interrupt.signal.aborted && interrupt.received() !== undefined) {
      return { exit: interrupt.status(), signal: interrupt.received() as NodeJS.Signals };
    }
    const error = asCspError(thrown);
    await printError(error, thrown, entry, options, warnings);
    return { exit: error?.exit ?? 70 };
  } finally {
    interrupt.end();
  }
}

interface Parsed {
  entry: CatalogEntry;
  // biome-ignore lint/suspicious/noExplicitAny: each command knows its own options
  module: CommandModule<any>;
  args: readonly string[];
  options: CommonOptions;
}

/** Lets commander parse; `shown` where it answered by itself (a command's help). Throws CSP_USAGE. */
function parse(
  argv: readonly string[],
  name: string | undefined,
  entry: CatalogEntry | undefined,
  module: Parsed["module"] | undefined,
): Parsed | "shown" | "short help" {
  const program = new Command("csp").exitOverride().enablePositionalOptions();
  program.configureOutput({ writeErr: () => {} });
  addCommonOptions(program, false);
  configureHelp(program);
  if (name === undefined && argv.every((word) => word !== "--help" && word !== "-h" && !word.startsWith("--version"))) {
    return "short help";
  }
  if (name !== undefined && entry === undefined && name !== "help")
    throw usageError(`there is no command \`${name}\``, name, commandWords());
  let parsed: Parsed | undefined;
  if (entry !== undefined && module !== undefined) {
    const command = program
      .command(entry.name)
      .description(entry.summary)
      .aliases([...entry.aliases]);
    command.exitOverride().configureOutput({ writeErr: () => {} });
    module.define(command);
    addCommonOptions(command, entry.mutates);
    configureHelp(command, entry);
    command.action(() => {
      parsed = { entry, module, args: command.args, options: command.optsWithGlobals() };
    });
  }
  try {
    program.parse([...argv], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return "shown";
    throw usageError(error.message.replace(/^error: /, "").replaceAll("'", "`"), undefined, [], entry?.name);
  }
  if (parsed === undefined) return "shown";
  return parsed;
}

function commandWords(): string[] {
  return catalog.filter((entry) => !entry.hidden).flatMap((entry) => [entry.name, ...entry.aliases]);
}

async function createSession(
  entry: CatalogEntry,
  invokedAs: string,
  options: CommonOptions,
  warnings: Warning[],
  reporter: Reporter,
  interrupt: Interrupt,
): Promise<Session> {
  const inCi = isCi(process.env);
  const title = `csp ${entry.name}`;
  const paint = await createPaint(!options.json && wantsColour(options.color, process.env, isTerminal(1)));
  const warn = (warning: Warning): void => {
    if (!warnings.some((each) => each.message === warning.message)) warnings.push(warning);
  };
  let context: ReturnType<typeof createContext> | undefined;
  return {
    context: (how) => {
      context ??= createContext(options, title, { reporter, interrupt, warn, here: how?.here === true });
      return context;
    },
    invokedAs,
    paint,
    inCi,
    canAsk: !inCi && !options.json && isTerminal(0) && isTerminal(2),
    verbose: options.verbose ?? 0,
    async print(lines, data) {
      if (options.json)
        await writeResult(`${JSON.stringify(envelope(entry.name, false, { data }, warnings.splice(0)))}\n`);
      else {
        await printWarnings(options, warnings.splice(0));
        if (lines.length > 0) await writeResult(`${lines.join("\n")}\n`);
      }
    },
    async withoutSignals(body) {
      const resume = interrupt.suspend();
      try {
        return await body();
      } finally {
        resume();
      }
    },
    interrupt: () => interrupt.raise("SIGINT"),
    self: () => selfCommand(options),
  };
}

/** bun with csp's own entry; the launcher's safeguards are repeated here. */
function selfCommand(options: CommonOptions): string[] {
  const guards = ["--config=/dev/null", "--no-env-file", "--tsconfig-override=/dev/null", "--no-install"];
  const where = [
    ...(options.cwd ? ["--cwd", resolve(options.cwd)] : []),
    ...(options.dataDir ? ["--data-dir", resolve(options.dataDir)] : []),
  ];
  return [process.execPath, ...guards, process.argv[1] as string, ...where];
}

async function printReport(
  report: Report,
  entry: CatalogEntry,
  options: CommonOptions,
  warnings: readonly Warning[],
): Promise<void> {
  if (report.silent) {
    await printWarnings(options, warnings);
    return;
  }
  if (options.json) {
    await writeResult(
      `${JSON.stringify(envelope(entry.name, options.dryRun === true, { data: report.data }, warnings))}\n`,
    );
    return;
  }
  await printWarnings(options, warnings);
  if (report.lines.length > 0) await writeResult(`${report.lines.join("\n")}\n`);
}

async function printWarnings(options: CommonOptions, warnings: readonly Warning[]): Promise<void> {
  if (options.quiet || options.json) return;
  const paint = await errorPaint(options);
  for (const warning of warnings) writeMessage(`${warningLines(warning, paint).join("\n")}\n`);
}

async function printError(
  error: CspError | undefined,
  thrown: unknown,
  entry: CatalogEntry | undefined,
  options: CommonOptions,
  warnings: readonly Warning[],
): Promise<void> {
  if (error === undefined) {
    const stack = thrown instanceof Error ? thrown.stack : String(thrown);
    writeMessage(`csp failed in a way it does not know; this is a defect of csp:\n${stack}\n`);
    return;
  }
  if (options.json) {
    const name = entry?.name ?? "csp";
    await writeResult(`${JSON.stringify(envelope(name, options.dryRun === true, { error }, warnings))}\n`);
    return;
  }
  await printWarnings(options, warnings);
  const paint = await errorPaint(options);
  writeMessage(`${errorLines(error, paint).join("\n")}\n`);
  if (process.env.GITHUB_ACTIONS === "true") writeMessage(`${annotation(error, undefined)}\n`);
}

function errorPaint(options: CommonOptions): ReturnType<typeof createPaint> {
  return createPaint(wantsColour(options.color, process.env, isTerminal(2)));
}

function asCspError(thrown: unknown): CspError | undefined {
  return isCspError(thrown) ? thrown : describeOsError(thrown);
}
