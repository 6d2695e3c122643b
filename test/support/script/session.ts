/** What a running script has: its directory, environment, registries, last command, and the words for using them. */
import { lstatSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import type { TestRegistry } from "../registry.ts";
import type { Child, Outcome } from "./child.ts";
import type { Want } from "./parse.ts";
import type { Snapshot } from "./snapshot.ts";
import type { Lookup, Word } from "./words.ts";

export interface Session {
  /** `$WORK`, a real path. */
  readonly work: string;
  cwd: string;
  env: Record<string, string>;
  /** Commands run as a user whom file modes bind. */
  asUser: boolean;
  /** Standard input of the next command. */
  stdin: string | undefined;
  last: Outcome | undefined;
  readonly background: Map<string, Child>;
  readonly snapshots: Map<string, Snapshot>;
  readonly registry: TestRegistry;
  /** The second host, only where the script mentions it. */
  readonly other: TestRegistry | undefined;
}

/** A command of the script language. */
export interface Verb {
  /** Shown where a line does not fit it. */
  usage: string;
  /** Fewest and most words after the verb. */
  words: readonly [number, number];
  /** What may stand in front: `!`, `exit N`. Nothing by default. */
  prefixes?: readonly ("failure" | "exit")[];
  /** Throws where the script fails. */
  run(session: Session, words: readonly Word[], want: Want): void | Promise<void>;
}

/** The variables of scripts and of the files below them. */
export function lookupIn(session: Session): Lookup {
  return (name, argument) => {
    if (argument !== undefined) return packageVariable(session, name, argument);
    const fixed: Record<string, string | undefined> = {
      WORK: session.work,
      REGISTRY: session.registry.url,
      REGISTRY_HOST: session.registry.url.replace("http://", ""),
      OTHER: session.other?.url,
      OTHER_HOST: session.other?.url.replace("http://", ""),
      BUN: process.execPath,
    };
    return fixed[name];
  };
}

function packageVariable(session: Session, name: string, argument: string): string | undefined {
  if (!["INTEGRITY", "DIGEST", "SIZE"].includes(name)) return undefined;
  const at = argument.lastIndexOf("@");
  const built = session.registry.package(argument.slice(0, at), argument.slice(at + 1));
  if (name === "INTEGRITY") return built.integrity;
  return name === "DIGEST" ? built.digest : String(built.tarball.length);
}

/** The path a word means, from the current directory of the script. */
export function pathOf(session: Session, word: Word | undefined): string {
  return resolve(session.cwd, word?.text ?? "");
}

/** The same for a path that is going to be changed: it must lie in `$WORK`. */
export function ownPath(session: Session, word: Word | undefined): string {
  const path = pathOf(session, word);
  if (relative(session.work, path).startsWith("..")) throw new Error(`outside of $WORK: ${path}`);
  return path;
}

/** Paths that a word names: itself if it exists, or what its `*` match. Links are not followed. */
export function pathsOf(session: Session, word: Word): string[] {
  if (!/[*?]/.test(word.text)) {
    const path = pathOf(session, word);
    return lstatSync(path, { throwIfNoEntry: false }) ? [path] : [];
  }
  const glob = new Bun.Glob(word.text);
  const found = glob.scanSync({ cwd: session.cwd, dot: true, onlyFiles: false, followSymlinks: false });
  return [...found].sort().map((path) => join(session.cwd, path));
}

/** Text of a file, or of `stdout` and `stderr` of the last command. */
export function textOf(session: Session, word: Word | undefined): string {
  const name = word?.text ?? "";
  if (name === "stdout" || name === "stderr") return lastOutcome(session)[name];
  return readFileSync(pathOf(session, word), "utf8");
}

/** What the last command printed. Throws before the first. */
export function lastOutcome(session: Session): Outcome {
  if (!session.last) throw new Error("no command has run yet");
  return session.last;
}

/** A multi-line regular expression of a word. */
export function regexOf(word: Word | undefined): RegExp {
  return new RegExp(word?.pattern ?? "", "m");
}

/** Throws unless what holds is what is wanted. */
export function expectThat(holds: boolean, want: Want, statement: string): void {
  if (holds !== (want.kind === "success")) throw new Error(`${holds ? "should not be so" : "is not so"}: ${statement}`);
}

/** Compares numbers by `==`, `!=`, `<`, `<=`, `>`, `>=`. Throws on another operator. */
export function compareNumbers(left: number, operator: string, right: number): boolean {
  const operators: Record<string, boolean> = {
    "==": left === right,
    "!=": left !== right,
    "<": left < right,
    "<=": left <= right,
    ">": left > right,
    ">=": left >= right,
  };
  const result = operators[operator];
  if (result === undefined || Number.isNaN(right)) throw new Error(`no comparison: ${operator} ${right}`);
  return result;
}
