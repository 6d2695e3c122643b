/** A command of a script as a real process: its output, its end, and waiting for what it prints. */

export interface Outcome {
  /** Under a terminal: everything it showed, without escape sequences and with `\n` line ends. */
  stdout: string;
  stderr: string;
  /** Under a terminal: the same as it came. */
  raw: string | undefined;
  /** 128 + signal number where a signal ended it. */
  status: number;
  signal: string | undefined;
}

export interface ChildOptions {
  argv: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
  /** Text for standard input; without it, standard input is empty. Under a terminal it is typed at once. */
  stdin: string | undefined;
  /** Runs it under a pseudo terminal of 100 columns. */
  tty: boolean;
  /** Milliseconds after which it is killed. */
  limit: number;
}

export interface Child {
  readonly title: string;
  readonly pid: number;
  /** What it printed so far. */
  output(): { stdout: string; stderr: string };
  /** Resolves as soon as the stream matches; rejects if the process ends first. */
  shows(stream: "stdout" | "stderr", pattern: RegExp): Promise<void>;
  /** Types on its terminal. */
  type(text: string): void;
  /** Takes its terminal away. */
  hangUp(): void;
  signal(name: NodeJS.Signals): void;
  /** Kills it and what it started, if it still runs. */
  kill(): void;
  /** Its end. Rejects where it had to be killed for its limit. */
  readonly end: Promise<Outcome>;
}

/** Starts the command in a process group of its own. Throws where the program does not exist. */
export function startChild(options: ChildOptions): Child {
  const title = options.argv.join(" ");
  const text = { stdout: "", stderr: "" };
  const watchers = new Set<() => void>();
  const grow = (stream: "stdout" | "stderr", added: string) => {
    text[stream] += added;
    for (const check of watchers) check();
  };
  const common = { cwd: options.cwd, env: { ...options.env } };
  const decoder = new TextDecoder();
  const child = options.tty
    ? Bun.spawn([...options.argv], {
        ...common,
        terminal: { cols: 100, rows: 40, data: (_, bytes) => grow("stdout", decoder.decode(bytes, { stream: true })) },
      })
    : Bun.spawn([...options.argv], {
        ...common,
        detached: true,
        stdin: options.stdin === undefined ? "ignore" : Buffer.from(options.stdin),
        stdout: "pipe",
        stderr: "pipe",
      });
  if (options.tty && options.stdin !== undefined) child.terminal?.write(options.stdin);

  const kill = () => killGroup(child.pid);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    kill();
  }, options.limit);
  const streams = [
    child.stdout instanceof ReadableStream ? drain(child.stdout, (added) => grow("stdout", added)) : undefined,
    child.stderr instanceof ReadableStream ? drain(child.stderr, (added) => grow("stderr", added)) : undefined,
  ];
  let ended = false;
  const finish = async (): Promise<Outcome> => {
    const status = await child.exited;
    await Promise.all(streams);
    clearTimeout(timer);
    ended = true;
    for (const check of watchers) check();
    child.terminal?.close();
    const raw = options.tty ? text.stdout : undefined;
    const outcome = { ...shown(), raw, status, signal: child.signalCode ? String(child.signalCode) : undefined };
    if (late) throw new Error(`still running after ${options.limit / 1000} s: ${title}${excerpt(outcome)}`);
    return outcome;
  };
  const shown = () => ({
    stdout: options.tty ? Bun.stripANSI(text.stdout).replaceAll("\r\n", "\n") : text.stdout,
    stderr: text.stderr,
  });
  const end = finish();
  end.catch(() => {});

  return {
    title,
    pid: child.pid,
    output: shown,
    shows: (stream, pattern) =>
      new Promise((done, fail) => {
        const check = () => {
          const found = pattern.test(shown()[stream]);
          if (!found && !ended) return;
          watchers.delete(check);
          if (found) done();
          else fail(new Error(`ended without ${pattern} on ${stream}: ${title}${excerpt(shown())}`));
        };
        watchers.add(check);
        check();
      }),
    type(keys) {
      if (!child.terminal) throw new Error(`has no terminal: ${title}`);
      child.terminal.write(keys);
    },
    hangUp() {
      if (!child.terminal) throw new Error(`has no terminal: ${title}`);
      child.terminal.close();
    },
    signal: (name) => void child.kill(name),
    kill() {
      if (!ended) kill();
    },
    end,
  };
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It ended in this moment, with all it started.
  }
}

async function drain(stream: ReadableStream<Uint8Array>, take: (added: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  for await (const bytes of stream) take(decoder.decode(bytes, { stream: true }));
}

/** The last lines of both streams, indented, for a failure message. */
export function excerpt(output: { stdout: string; stderr: string }): string {
  const show = (name: "stdout" | "stderr") => {
    const lines = output[name].trimEnd().split("\n");
    if (lines.join("") === "") return "";
    const kept = lines.length > 60 ? [`… ${lines.length - 60} lines more`, ...lines.slice(-60)] : lines;
    return `\n  ${name}:${kept.map((line) => `\n    ${line.slice(0, 2000)}`).join("")}`;
  };
  return show("stdout") + show("stderr");
}
