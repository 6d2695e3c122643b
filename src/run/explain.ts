/**
 * The error a script gets for an import that its tree cannot serve. The hook knows only that the name is missing; why,
 * and which command helps, is csp's knowledge, so the hook asks csp. Runs inside the script's process.
 *
 * Protocol: `<command…> internal explain-import <name>`, started in `cwd`. Answer: exit 0 and the message on stdout, plain
 * text, the sentence on the first line, details and `help: …` on the next. Anything else, or no answer in 5 seconds,
 * and a general message is used instead.
 */
import { quoted } from "../core/quote.ts";
import { readText } from "./read-text.ts";

/** What the hooks find in the file that `CSP_RUN_INFO` names. */
export interface RunInfo {
  version: 1;
  /** The command that starts csp with the options of this run, e.g. `["/usr/bin/csp", "-C", "/srv/checks"]`. */
  command: readonly string[];
  /** Directory in which that command is started. */
  cwd: string;
  /** Module that answers for import() in a Node without `registerHooks`. */
  nodeLoader: string;
}

export type ImportKind = "import" | "require";

const answerLimit = 4096;

/** The run info of this process, or undefined when it is gone (the run is over, or it never was one). */
export function readRunInfo(path: string | undefined): RunInfo | undefined {
  if (path === undefined) return undefined;
  try {
    const info = JSON.parse(readText(path) ?? "") as RunInfo;
    return info.version === 1 && Array.isArray(info.command) ? info : undefined;
  } catch {
    return undefined;
  }
}

/** Returns a function that words the failure to import a package; it asks csp once per name. */
export function importExplainer(env: NodeJS.ProcessEnv): (name: string) => string {
  const answers = new Map<string, string>();
  return (name) => {
    const known = answers.get(name);
    if (known !== undefined) return known;
    const answer = askCsp(name, env) ?? generalAnswer(name);
    answers.set(name, answer);
    return answer;
  };
}

/** An Error with the code that Node gives a module it does not find, so that `try { import }` code still works. */
export function importError(message: string, importer: string, kind: ImportKind): Error {
  // No frames: the top one would be this hook, and both runtimes would print its source instead of the message.
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  const from = importer === "" ? "" : `\n  imported from ${printable(importer)}`;
  const error = new Error(message + from);
  Error.stackTraceLimit = limit;
  return Object.assign(error, { code: kind === "import" ? "ERR_MODULE_NOT_FOUND" : "MODULE_NOT_FOUND" });
}

/** The error for a package's own import that would leave the tree; worded as the runtimes do, as packages read it. */
export function undeclaredImport(request: string, importer: string, kind: ImportKind): Error {
  return importError(`Cannot find module ${quoted(request)}, which the package does not declare`, importer, kind);
}

/** Message for a package that is there but has not what the specifier asks for. */
export function missingSubpath(specifier: string, name: string): string {
  return `${quoted(specifier)} is not a file or an export of the installed package ${quoted(name)}`;
}

/** Message for a subpath import of the script's own package.json that ends in a package. */
export function foreignSubpathImport(specifier: string): string {
  return `${quoted(specifier)} leads to a package through the script's own package.json\n  help: import the package by its name`;
}

function generalAnswer(name: string): string {
  const shown = quoted(name);
  return `${shown} is not in the tree of this run\n  help: run ${quoted(`csp add ${name}`)}, or \`csp install\` if it is in the allowlist`;
}

function askCsp(name: string, env: NodeJS.ProcessEnv): string | undefined {
  const info = readRunInfo(env.CSP_RUN_INFO);
  const [program, ...args] = info?.command ?? [];
  if (info === undefined || program === undefined) return undefined;
  const { spawnSync } = require("node:child_process") as typeof import("node:child_process");
  const { BUN_OPTIONS: _bun, NODE_OPTIONS: _node, ...clean } = env;
  const answer = spawnSync(program, [...args, "internal", "explain-import", name], {
    cwd: info.cwd,
    env: clean,
    encoding: "utf8",
    timeout: 5000,
    killSignal: "SIGKILL",
    maxBuffer: 1 << 20,
    stdio: ["ignore", "pipe", "ignore"],
  });
  const text = answer.status === 0 ? printable(answer.stdout.slice(0, answerLimit)).trim() : "";
  return text === "" ? undefined : text;
}

function printable(text: string): string {
  return text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}
