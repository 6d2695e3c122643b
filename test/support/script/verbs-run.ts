/** Verbs that run commands, in front, in the background and under a terminal. */
import { lchownSync, lstatSync, readdirSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { unprivileged } from "../needs.ts";
import { type Child, excerpt, type Outcome, startChild } from "./child.ts";
import type { Want } from "./parse.ts";
import { lastOutcome, pathOf, regexOf, type Session, textOf, type Verb } from "./session.ts";
import type { Word } from "./words.ts";

const launcher = join(import.meta.dir, "../../../bin/csp");
/** Milliseconds a single command may take. */
const commandLimit = 20_000;
const awaitLimit = 10_000;

const forms = "[tty] csp ARG…, [tty] exec PROGRAM ARG…";

/** Starts the command that the words name: `csp …`, `exec …`, `tty csp …`. */
function start(session: Session, words: readonly Word[]): Child {
  const texts = words.map((word) => word.text);
  const tty = texts[0] === "tty";
  const [kind, ...args] = tty ? texts.slice(1) : texts;
  if (kind !== "csp" && (kind !== "exec" || args.length === 0)) throw new Error(`a command is ${forms}`);
  const argv = [...(session.asUser ? unprivileged : []), ...(kind === "csp" ? [launcher] : []), ...args];
  const { stdin, cwd } = session;
  session.stdin = undefined;
  const env = tty ? { TERM: "xterm-256color", ...session.env } : session.env;
  return startChild({ argv, cwd, env, stdin, tty, limit: commandLimit });
}

async function finish(session: Session, child: Child, want: Want, words: readonly Word[]): Promise<void> {
  const outcome = await child.end;
  session.last = outcome;
  const ended = outcome.signal ? `was ended by ${outcome.signal}` : `exit status ${outcome.status}`;
  if (!fitsWant(outcome, want)) throw new Error(`${ended}, wanted ${wanted(want)}${excerpt(outcome)}`);
  if (words.some((word) => word.text === "csp")) checkManners(session, outcome, words);
}

function fitsWant({ status, signal }: Outcome, want: Want): boolean {
  if (want.kind === "success") return status === 0 && signal === undefined;
  if (want.kind === "failure") return status !== 0 && signal === undefined;
  if (want.status.startsWith("SIG")) return signal === want.status;
  return status === Number(want.status);
}

function wanted(want: Want): string {
  if (want.kind === "exit") return want.status;
  return want.kind === "success" ? "0" : "a failure by its own decision";
}

/** Holds for each command in which only csp speaks: no stack traces, no secrets of the environment in what it prints. */
function checkManners(session: Session, outcome: Outcome, words: readonly Word[]): void {
  if (words.some((word) => word.text === "run" || word.text === "exec" || word.text === "x")) return;
  const output = outcome.stdout + outcome.stderr;
  for (const [name, value] of Object.entries(session.env)) {
    if (/TOKEN|SECRET|PASSWORD/.test(name) && value.length >= 6 && output.includes(value)) {
      throw new Error(`printed the secret in ${name}${excerpt(outcome)}`);
    }
  }
  if (/^ +at .+:\d+:\d+\)?$/m.test(output)) throw new Error(`printed a stack trace${excerpt(outcome)}`);
}

function childOf(session: Session, word: Word | undefined): Child {
  const child = session.background.get(word?.text ?? "");
  if (!child) throw new Error(`nothing runs in the background as ${word?.text}`);
  return child;
}

const runsCommand = (kind: string): Verb => ({
  usage: forms,
  words: [kind === "csp" ? 0 : 1, Number.POSITIVE_INFINITY],
  prefixes: ["failure", "exit"],
  async run(session, words, want) {
    const whole = [{ text: kind, pattern: kind }, ...words];
    await finish(session, start(session, whole), want, whole);
  },
});

async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: Timer | undefined;
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(new Error(`not within ${awaitLimit / 1000} s: ${what}`)), awaitLimit);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Gives a tree to the user that `as-user` runs commands as. */
function giveAway(path: string): void {
  const stat = lstatSync(path);
  lchownSync(path, 65534, 65534);
  if (stat.isDirectory()) for (const name of readdirSync(path)) giveAway(join(path, name));
}

export const runVerbs: Readonly<Record<string, Verb>> = {
  csp: runsCommand("csp"),
  exec: runsCommand("exec"),
  tty: runsCommand("tty"),
  stdin: {
    usage: "stdin FILE",
    words: [1, 1],
    run(session, [file]) {
      session.stdin = textOf(session, file);
    },
  },
  "as-user": {
    usage: "as-user",
    words: [0, 0],
    run(session) {
      if (unprivileged.length > 0) giveAway(session.work);
      session.asUser = true;
    },
  },
  background: {
    usage: `background NAME ${forms}`,
    words: [2, Number.POSITIVE_INFINITY],
    run(session, [name, ...command]) {
      if (session.background.has(name?.text ?? "")) throw new Error(`runs already: ${name?.text}`);
      session.background.set(name?.text ?? "", start(session, command));
    },
  },
  wait: {
    usage: "wait NAME",
    words: [1, 1],
    prefixes: ["failure", "exit"],
    async run(session, [name], want) {
      const child = childOf(session, name);
      await finish(session, child, want, []).finally(() => session.background.delete(name?.text ?? ""));
    },
  },
  signal: {
    usage: "signal NAME SIGNAL",
    words: [2, 2],
    run(session, [name, signal]) {
      if (!Object.hasOwn(constants.signals, signal?.text ?? "")) throw new Error(`no such signal: ${signal?.text}`);
      childOf(session, name).signal(signal?.text as NodeJS.Signals);
    },
  },
  type: {
    usage: "type NAME TEXT (\\r is the enter key, \\e escape, \\d down, \\x03 control-C)",
    words: [2, 2],
    run(session, [name, text]) {
      const keys: Record<string, string> = { "\\r": "\r", "\\e": "\x1b", "\\d": "\x1b[B", "\\x03": "\x03" };
      childOf(session, name).type((text?.text ?? "").replace(/\\(?:r|e|d|x03)/g, (key) => keys[key] ?? key));
    },
  },
  "hang-up": {
    usage: "hang-up NAME",
    words: [1, 1],
    run: (session, [name]) => childOf(session, name).hangUp(),
  },
  await: {
    usage: "await stdout|stderr NAME REGEX, await request REGEX [COUNT], await file PATH",
    words: [2, 3],
    async run(session, words) {
      const [kind, first, second] = words;
      const what = words.map((word) => word.text).join(" ");
      if (kind?.text === "stdout" || kind?.text === "stderr") {
        await within(childOf(session, first).shows(kind.text, regexOf(second)), what);
      } else if (kind?.text === "request") {
        await within(session.registry.arrival(regexOf(first), Number(second?.text ?? 1)), what);
      } else if (kind?.text === "file") {
        await within(fileAppears(pathOf(session, first)), what);
      } else throw new Error(`usage: ${this.usage}`);
    },
  },
  status: {
    usage: "status REGEX (of the last command: its exit status or signal)",
    words: [1, 1],
    run(session, [pattern]) {
      const { status, signal } = lastOutcome(session);
      if (!regexOf(pattern).test(signal ?? String(status))) throw new Error(`status ${signal ?? status}`);
    },
  },
};

async function fileAppears(path: string): Promise<void> {
  for (const deadline = Date.now() + awaitLimit; Date.now() < deadline; await Bun.sleep(5)) {
    if (lstatSync(path, { throwIfNoEntry: false })) return;
  }
}
