/** Finds a binary of an allowlisted package and how it is started. */
import { closeSync, openSync, readdirSync, readSync, realpathSync } from "node:fs";
import { basename, delimiter, join } from "node:path";
import { CspError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import { quoted } from "../core/quote.ts";
import { guarded, osCode } from "../fs/os-error.ts";
import type { Environment } from "./environment.ts";
import type { Source } from "./launch.ts";
import { isPackageFile, placesOf } from "./places.ts";

/**
 * The source to run for a binary in `node_modules/.bin` of a tree. A script for Node or Bun runs on the runtime that the
 * run was asked to use, whichever its first line names; other scripts and programs run by themselves.
 * Throws CSP_BIN_MISSING, with the binaries there are.
 */
export function resolveBin(tree: string, name: string): Source {
  const home = guarded(() => realpathSync(tree));
  const directory = join(home, "node_modules", ".bin");
  const names = binNames(directory);
  if (!names.includes(name)) throw missingBin(name, names);
  const file = guarded(() => realpathSync(join(directory, name)));
  if (!isPackageFile(placesOf(home), file)) throw missingBin(name, names);
  const interpreter = shebang(guarded(() => firstBytes(file), file));
  if (interpreter === undefined) {
    return /\.[mc]?[jt]sx?$/.test(file) ? { kind: "file", path: file } : { kind: "program", command: [file] };
  }
  if (isRuntime(interpreter)) return { kind: "file", path: file };
  // Named here, because package files need not be executable.
  return { kind: "program", command: [...interpreter, file] };
}

/** The environment in which binaries find each other, as npm gives it to them. */
export function binEnvironment(env: Environment, tree: string): Environment {
  const directory = join(tree, "node_modules", ".bin");
  return { ...env, PATH: env.PATH ? `${directory}${delimiter}${env.PATH}` : directory };
}

function missingBin(name: string, names: readonly string[]): CspError {
  const close = nearest(name, names);
  return new CspError("CSP_BIN_MISSING", {
    message: `no package of the allowlist has a binary ${quoted(name)}`,
    details:
      names.length === 0
        ? ["no package of the current tree has any"]
        : [`there are: ${names.slice(0, 50).map(quoted).join(", ")}`],
    hint: close === undefined ? `run ${quoted("csp add PACKAGE")}` : `run ${quoted(`csp exec ${close}`)}`,
  });
}

function binNames(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    if (osCode(error) === "ENOENT") return [];
    throw error;
  }
}

/** As the kernel reads it: the interpreter, and all that follows as one word. */
function shebang(start: string): string[] | undefined {
  const line = /^#![ \t]*(\S+)[ \t]*([^\r\n]*?)[ \t]*(?:\r?\n|$)/.exec(start);
  return line?.[1] === undefined ? undefined : line[2] ? [line[1], line[2]] : [line[1]];
}

function isRuntime([program = "", words = ""]: readonly string[]): boolean {
  const name = basename(program) === "env" ? /^(?:-S\s+)?(?:\w+=\S*\s+)*(\S+)/.exec(words)?.[1] : program;
  return ["node", "nodejs", "bun"].includes(basename(name ?? ""));
}

function firstBytes(file: string): string {
  const fd = openSync(file, "r");
  try {
    const buffer = Buffer.alloc(256);
    return buffer.toString("latin1", 0, readSync(fd, buffer, 0, buffer.length, 0));
  } finally {
    closeSync(fd);
  }
}
