/** Verbs that prepare and damage files, and the environment of commands. */
import {
  appendFileSync,
  chmodSync,
  cpSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { removeTree } from "../temp.ts";
import { ownPath, pathOf, pathsOf, type Session, textOf, type Verb } from "./session.ts";
import type { Word } from "./words.ts";

/** `cp` and `mv` into an existing directory keep the name, as the shell's do. */
function destination(session: Session, source: Word | undefined, target: Word | undefined): string {
  const path = ownPath(session, target);
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ? join(path, basename(source?.text ?? "")) : path;
}

/** Changes a file also where its mode forbids it, and leaves the mode as it was. */
function edit(path: string, change: () => void): void {
  const mode = statSync(path).mode & 0o7777;
  chmodSync(path, mode | 0o200);
  change();
  chmodSync(path, mode);
}

function onlyFile(session: Session, word: Word | undefined): string {
  const found = word ? pathsOf(session, word) : [];
  if (found.length !== 1) throw new Error(`${found.length} files match ${word?.text}, wanted one`);
  return ownPath(session, { text: found[0] ?? "", pattern: "" });
}

export const fileVerbs: Readonly<Record<string, Verb>> = {
  env: {
    usage: "env NAME=VALUE…, env -NAME",
    words: [1, Number.POSITIVE_INFINITY],
    run(session, words) {
      for (const { text } of words) {
        const [, removed, name, value] = /^(?:-(\w+)|([^=]+)=(.*))$/s.exec(text) ?? [];
        if (removed !== undefined) delete session.env[removed];
        else if (name !== undefined) session.env[name] = value ?? "";
        else throw new Error(`neither NAME=VALUE nor -NAME: ${text}`);
      }
    },
  },
  cd: {
    usage: "cd DIRECTORY",
    words: [1, 1],
    run(session, [word]) {
      const path = pathOf(session, word);
      if (!statSync(path).isDirectory()) throw new Error(`not a directory: ${path}`);
      session.cwd = path;
    },
  },
  cp: {
    usage: "cp stdout|stderr|PATH PATH",
    words: [2, 2],
    run(session, [source, target]) {
      const to = destination(session, source, target);
      if (source?.text === "stdout" || source?.text === "stderr") writeFileSync(to, textOf(session, source));
      else cpSync(pathOf(session, source), to, { recursive: true, verbatimSymlinks: true });
    },
  },
  mv: {
    usage: "mv PATH PATH",
    words: [2, 2],
    run: (session, [source, target]) => renameSync(ownPath(session, source), destination(session, source, target)),
  },
  rm: {
    usage: "rm PATH… (with all below; absent is fine)",
    words: [1, Number.POSITIVE_INFINITY],
    run(session, words) {
      for (const word of words) {
        for (const path of pathsOf(session, word)) removeTree(ownPath(session, { text: path, pattern: "" }));
      }
    },
  },
  mkdir: {
    usage: "mkdir PATH…",
    words: [1, Number.POSITIVE_INFINITY],
    run(session, words) {
      for (const word of words) mkdirSync(ownPath(session, word), { recursive: true });
    },
  },
  chmod: {
    usage: "chmod OCTAL PATH…",
    words: [2, Number.POSITIVE_INFINITY],
    run(session, [mode, ...paths]) {
      if (!/^[0-7]{3,4}$/.test(mode?.text ?? "")) throw new Error(`not an octal mode: ${mode?.text}`);
      for (const path of paths) chmodSync(ownPath(session, path), Number.parseInt(mode?.text ?? "", 8));
    },
  },
  symlink: {
    usage: "symlink PATH -> TARGET",
    words: [3, 3],
    run(session, [path, arrow, target]) {
      if (arrow?.text !== "->") throw new Error(`usage: ${this.usage}`);
      symlinkSync(target?.text ?? "", ownPath(session, path));
    },
  },
  append: {
    usage: "append FILE LINE",
    words: [2, 2],
    run: (session, [file, line]) => appendFileSync(ownPath(session, file), `${line?.text}\n`),
  },
  replace: {
    usage: "replace FILE OLD NEW (all places; text, not a pattern)",
    words: [3, 3],
    run(session, [file, old, next]) {
      const path = onlyFile(session, file);
      const text = readFileSync(path, "utf8");
      if (!old?.text || !text.includes(old.text)) throw new Error(`${file?.text} does not have: ${old?.text}`);
      edit(path, () =>
        writeFileSync(
          path,
          text.replaceAll(old.text, () => next?.text ?? ""),
        ),
      );
    },
  },
  truncate: {
    usage: "truncate FILE BYTES",
    words: [2, 2],
    run(session, [file, bytes]) {
      const path = onlyFile(session, file);
      if (!/^\d+$/.test(bytes?.text ?? "")) throw new Error(`not a number of bytes: ${bytes?.text}`);
      edit(path, () => truncateSync(path, Number(bytes?.text)));
    },
  },
  corrupt: {
    usage: "corrupt FILE (flips one bit in the middle)",
    words: [1, 1],
    run(session, [file]) {
      const path = onlyFile(session, file);
      const bytes = readFileSync(path);
      const middle = bytes.length >> 1;
      bytes[middle] = (bytes[middle] ?? 0) ^ 1;
      edit(path, () => writeFileSync(path, bytes));
    },
  },
  write: {
    usage: "write FILE LINE… (replaces it; makes its directory)",
    words: [1, Number.POSITIVE_INFINITY],
    run(session, [file, ...lines]) {
      const path = ownPath(session, file);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, lines.map((line) => `${line.text}\n`).join(""));
    },
  },
};
