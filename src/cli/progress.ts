/** Progress on stderr: in place on a terminal, appended lines elsewhere, one JSON object a line for programs. */

import { CspError } from "../core/errors.ts";
import { formatSize } from "../core/quantity.ts";
import type { Progress } from "../ops/context.ts";
import type { CommonOptions } from "./command.ts";
import { writeMessage } from "./terminal.ts";

export interface Reporter {
  progress: (progress: Progress) => void;
  /** Something worth saying at once, such as a wait. */
  notice: (text: string) => void;
  /** Clears what is in place. */
  end: () => void;
}

const kinds = ["default", "append-only", "ndjson", "silent"] as const;

const verbs: Readonly<Record<Progress["phase"], string>> = {
  resolve: "resolving",
  measure: "measuring",
  fetch: "fetching and unpacking",
  upload: "uploading",
  copy: "copying",
  link: "linking",
  sync: "syncing to disk",
  switch: "switching",
  collect: "removing",
  check: "checking",
};

/** Chooses by flag and environment; quick work shows nothing. */
export function createReporter(
  options: CommonOptions,
  env: Readonly<Record<string, string | undefined>>,
  isTerminal: boolean,
): Reporter {
  const kind = options.reporter ?? env.CSP_REPORTER ?? "default";
  if (!kinds.includes(kind as (typeof kinds)[number])) {
    throw new CspError("CSP_USAGE", {
      message: `there is no reporter \`${kind}\``,
      hint: `write one of ${kinds.join(", ")}`,
    });
  }
  if (options.quiet || kind === "silent") return { progress: () => {}, notice: () => {}, end: () => {} };
  if (kind === "ndjson") return ndjson();
  return kind === "default" && isTerminal && env.TERM !== "dumb" ? inPlace() : appendOnly();
}

function describe({ phase, done, total, bytes, totalBytes }: Progress): string {
  const count = total > 1 ? ` ${done}/${total}` : "";
  const size = totalBytes > 0 ? `, ${formatSize(bytes)} of ${formatSize(totalBytes)}` : "";
  return `${verbs[phase]}${count}${size}`;
}

/** Bytes a second of a phase, and how long the rest will take at that; nothing in its first moments. */
function createMeter(): (progress: Progress) => string {
  let phase: string | undefined;
  let began = 0;
  let first = 0;
  return ({ phase: now, bytes, totalBytes }) => {
    if (now !== phase) {
      phase = now;
      began = performance.now();
      first = bytes;
    }
    const seconds = (performance.now() - began) / 1000;
    const rate = (bytes - first) / seconds;
    if (seconds < 1 || !(rate > 0) || totalBytes <= 0) return "";
    const left = Math.max(0, totalBytes - bytes) / rate;
    const time = left < 90 ? `${Math.ceil(left)}s` : `${Math.ceil(left / 60)}m`;
    return `, ${formatSize(rate)}/s, ${time} left`;
  };
}

/** A phase is named when it begins, and again now and then; only when the command has taken longer than a moment. */
function appendOnly(): Reporter {
  const start = performance.now();
  const meter = createMeter();
  let last: string | undefined;
  let said = 0;
  return {
    progress(progress) {
      const now = performance.now();
      const rate = meter(progress);
      if (now - start < 2000 || (progress.phase === last && now - said < 30_000)) return;
      last = progress.phase;
      said = now;
      writeMessage(`${describe(progress)}${rate} …\n`);
    },
    notice: (text) => writeMessage(`${text}\n`),
    end: () => {},
  };
}

function ndjson(): Reporter {
  const write = (value: object): void => {
    writeMessage(`${JSON.stringify({ time: new Date().toISOString(), level: "info", ...value })}\n`);
  };
  let last = 0;
  return {
    progress(progress) {
      const now = performance.now();
      if (now - last < 100 && progress.done !== progress.total) return;
      last = now;
      write({ name: "csp:progress", ...progress });
    },
    notice: (message) => write({ name: "csp:notice", message }),
    end: () => {},
  };
}

/** A spinner, loaded when the work turns out not to be quick; nothing is drawn before the first progress. */
function inPlace(): Reporter {
  let latest = "";
  const meter = createMeter();
  let spinner: import("ora").Ora | undefined;
  let timer: Timer | undefined;
  let ended = false;
  const start = async (): Promise<void> => {
    const { default: ora } = await import("ora");
    if (ended) return;
    spinner = ora({ text: latest, stream: process.stderr, discardStdin: false, hideCursor: false }).start();
  };
  let painted = 0;
  return {
    progress(progress) {
      latest = describe(progress) + meter(progress);
      timer ??= setTimeout(start, 150).unref();
      const now = performance.now();
      if (spinner === undefined || now - painted < 50) return;
      painted = now;
      spinner.text = latest;
    },
    notice(text) {
      spinner?.clear();
      writeMessage(`${text}\n`);
    },
    end() {
      ended = true;
      clearTimeout(timer);
      spinner?.stop();
    },
  };
}
