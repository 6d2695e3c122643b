/** Verbs that look at results: output, JSON, files. */
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { excerpt } from "./child.ts";
import { difference } from "./golden.ts";
import { holdsFor, parseDocument, valueAt } from "./json-path.ts";
import type { Want } from "./parse.ts";
import {
  compareNumbers,
  expectThat,
  lastOutcome,
  pathOf,
  pathsOf,
  regexOf,
  type Session,
  textOf,
  type Verb,
} from "./session.ts";
import { compareSnapshots, takeSnapshot } from "./snapshot.ts";

const matchesStream = (stream: "stdout" | "stderr"): Verb => ({
  usage: `[!] ${stream} REGEX`,
  words: [1, 1],
  prefixes: ["failure"],
  run(session, [pattern], want: Want) {
    const outcome = lastOutcome(session);
    expectThat(regexOf(pattern).test(outcome[stream]), want, `${stream} matches ${pattern?.text}${excerpt(outcome)}`);
  },
});

/** What a whole-directory snapshot leaves out: what the harness itself put there, and scratch. */
function notTheScripts(session: Session): (path: string) => boolean {
  const own = [".bin", "home", "tmp"].map((name) => join(session.work, name));
  return (path) => own.includes(path);
}

function filesBelow(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { withFileTypes: true }).flatMap((entry) => {
    const below = join(path, entry.name);
    if (entry.isDirectory()) return filesBelow(below);
    return entry.isFile() ? [below] : [];
  });
}

export const checkVerbs: Readonly<Record<string, Verb>> = {
  stdout: matchesStream("stdout"),
  stderr: matchesStream("stderr"),
  terminal: {
    usage: "[!] terminal REGEX (what the last command sent to its terminal, escape sequences and all)",
    words: [1, 1],
    prefixes: ["failure"],
    run(session, [pattern], want) {
      const { raw } = lastOutcome(session);
      if (raw === undefined) throw new Error("the last command had no terminal");
      expectThat(regexOf(pattern).test(raw), want, `the terminal got ${pattern?.text}: ${JSON.stringify(raw)}`);
    },
  },
  cmp: {
    usage: "cmp stdout|stderr|FILE FILE",
    words: [2, 2],
    prefixes: ["failure"],
    run(session, [found, expected], want) {
      const differs = difference(textOf(session, found), textOf(session, expected));
      if (want.kind === "failure") expectThat(differs === undefined, want, `${found?.text} is ${expected?.text}`);
      else if (differs !== undefined) throw new Error(`${found?.text} is not ${expected?.text} ${differs}`);
    },
  },
  json: {
    usage: "[!] json PATH == != < <= > >= =~ contains length exists [VALUE]",
    words: [2, Number.POSITIVE_INFINITY],
    prefixes: ["failure"],
    run(session, [path, operator, ...value], want) {
      const outcome = lastOutcome(session);
      const found = valueAt(parseDocument(outcome.stdout), path?.text ?? "");
      const operand = {
        text: value.map((word) => word.text).join(" "),
        pattern: value.map((word) => word.pattern).join(" "),
      };
      const shown = found === undefined ? "nothing" : JSON.stringify(found, null, 1);
      expectThat(
        holdsFor(found, operator?.text ?? "", operand),
        want,
        `${path?.text} ${operator?.text} ${operand.text}; it is ${shown}${excerpt({ ...outcome, stdout: "" })}`,
      );
    },
  },
  exists: {
    usage: "[!] exists PATH…",
    words: [1, Number.POSITIVE_INFINITY],
    prefixes: ["failure"],
    run(session, words, want) {
      for (const word of words) expectThat(pathsOf(session, word).length > 0, want, `${word.text} exists`);
    },
  },
  empty: {
    usage: "empty DIRECTORY… (absent is empty)",
    words: [1, Number.POSITIVE_INFINITY],
    run(session, words) {
      for (const path of words.flatMap((word) => pathsOf(session, word))) {
        const names = readdirSync(path);
        if (names.length > 0) throw new Error(`not empty: ${path}: ${names.join(", ")}`);
      }
    },
  },
  count: {
    usage: "count GLOB == != < <= > >= NUMBER",
    words: [3, 3],
    run(session, [glob, operator, number]) {
      const found = glob ? pathsOf(session, glob) : [];
      if (compareNumbers(found.length, operator?.text ?? "", Number(number?.text))) return;
      throw new Error(`${found.length} match ${glob?.text}${found.map((path) => `\n  ${path}`).join("")}`);
    },
  },
  readlink: {
    usage: "[!] readlink PATH REGEX",
    words: [2, 2],
    prefixes: ["failure"],
    run(session, [path, pattern], want) {
      const target = readlinkSync(pathOf(session, path));
      expectThat(
        regexOf(pattern).test(target),
        want,
        `${path?.text} is a link to ${pattern?.text}; it is to ${target}`,
      );
    },
  },
  grep: {
    usage: "[!] grep REGEX PATH… (directories with all below)",
    words: [2, Number.POSITIVE_INFINITY],
    prefixes: ["failure"],
    run(session, [pattern, ...paths], want) {
      const files = paths.flatMap((word) => {
        const named = pathsOf(session, word);
        if (named.length === 0) throw new Error(`no such file: ${word.text}`);
        return named.flatMap(filesBelow);
      });
      const found = files.filter((path) => regexOf(pattern).test(readFileSync(path, "utf8")));
      const where = found.length > 0 ? found.join(", ") : paths.map((word) => word.text).join(", ");
      expectThat(found.length > 0, want, `${pattern?.text} stands in ${where}`);
    },
  },
  snapshot: {
    usage: "snapshot NAME [PATH…] (all of $WORK but home and tmp)",
    words: [1, Number.POSITIVE_INFINITY],
    run(session, [name, ...paths]) {
      const looked = paths.length > 0 ? paths.map((word) => pathOf(session, word)) : [session.work];
      session.snapshots.set(name?.text ?? "", takeSnapshot(looked, notTheScripts(session)));
    },
  },
  unchanged: {
    usage: "[!] unchanged NAME",
    words: [1, 1],
    prefixes: ["failure"],
    run(session, [name], want) {
      const before = session.snapshots.get(name?.text ?? "");
      if (!before) throw new Error(`no snapshot ${name?.text}`);
      const now = takeSnapshot(before.roots, notTheScripts(session));
      const lines = compareSnapshots(before, now);
      expectThat(
        lines.length === 0,
        want,
        `nothing changed since ${name?.text}${lines.map((l) => `\n  ${l}`).join("")}`,
      );
    },
  },
};
