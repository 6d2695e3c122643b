/** What a command is: it declares its arguments, calls one verb, and returns what to show. Only the program prints. */
import type { Command } from "commander";
import type { Context } from "../ops/context.ts";
import type { Paint } from "./paint.ts";

/** Options that every command takes. */
export interface CommonOptions {
  cwd?: string;
  dataDir?: string;
  json?: boolean;
  dryRun?: boolean;
  quiet?: boolean;
  verbose?: number;
  color?: boolean;
  reporter?: string;
  offline?: boolean;
  reason?: string;
  lockTimeout?: string;
  resolveTimeout?: string;
  minimumFreeSpace?: string;
  trustProjectNpmrc?: boolean;
  /** `true` where a command was told to look at the store, and not which. */
  store?: string[] | true;
  channel?: string;
  yes?: boolean;
}

/** What a command may ask of its surroundings. */
export interface Session {
  /** The context of ops, made at first use; with `here` the project is the working directory, not one above it. */
  context: (options?: { here: boolean }) => Context;
  /** The word that was typed for the command: its name or an alias. */
  invokedAs: string;
  paint: Paint;
  /** True where a person can be asked: terminals at both ends, and not in CI. */
  canAsk: boolean;
  inCi: boolean;
  verbose: number;
  /** Writes lines of the result before the command ends, for those that run on; one JSON object a line with `--json`. */
  print: (lines: readonly string[], data: unknown) => Promise<void>;
  /** Leaves signals to a child while `body` runs. */
  withoutSignals: <T>(body: () => Promise<T>) => Promise<T>;
  /** Ends the command as SIGINT would. */
  interrupt: () => void;
  /** The words that start this csp on the same project and data directory. */
  self: () => string[];
}

/** What a command did or found. */
export interface Report {
  /** The `data` of `--json`. */
  data: unknown;
  /** Lines for people, on stdout. */
  lines: readonly string[];
  /** Exit status where it is not 0. */
  exit?: number;
  /** True where `current` was moved, after which the allowlist may ask for a collection. */
  switched?: boolean;
  /** Ends csp by this signal, as the child ended that it stands for. */
  signal?: NodeJS.Signals;
  /** True where nothing is to be printed: the output was the child's. */
  silent?: boolean;
}

export interface CommandModule<Options = CommonOptions> {
  /** Declares arguments and options. */
  define: (command: Command) => void;
  run: (session: Session, args: readonly string[], options: Options) => Promise<Report>;
}
