/** The options that all commands share, and how a command line that is not understood is answered. */
import type { Command } from "commander";
import { CspError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";

/** Declares the common options; a command that changes something takes `--dry-run` and `--reason`, too. */
export function addCommonOptions(command: Command, mutates: boolean): void {
  command
    .option("-C, --cwd <dir>", "work as if started in this folder")
    .option("--data-dir <dir>", "where this host keeps trees and blobs (env CHECKSTACK_DATA_DIR)")
    .option("--json", "one JSON document on stdout")
    .option("-q, --quiet", "no progress, no warnings")
    .option("-v, --verbose", "more detail; twice for more", (_: string, before?: number) => (before ?? 0) + 1)
    .option("--color", "colour, also where the output is no terminal")
    .option("--no-color", "no colour (env NO_COLOR)")
    .option("--reporter <kind>", "default, append-only, ndjson or silent")
    .option("--lock-timeout <duration>", "how long to wait for another csp (default 10m)")
    .option("--resolve-timeout <duration>", "how long a resolution may take (default 5m)")
    .option("--trust-project-npmrc", "expand environment variables in the project's .npmrc");
  if (!mutates) return;
  command
    .option("--dry-run", "show what would be done, and do nothing")
    .option("--reason <text>", "why; kept in this host's journal");
}

/** Declares how much an installation must leave free, for commands that install. */
export function addSpaceOption(command: Command): void {
  command.option("--minimum-free-space <size>", "what must stay free on the disk, as in 500MB");
}

/** Declares which store a command works with. */
export function addStoreOption(command: Command): void {
  command.option(
    "--store <address>",
    "a store; again for further ones to read from (env CSP_STORE, `store:`)",
    (address: string, before?: string[]) => [...(before ?? []), address],
  );
}

/** Declares that a command can look at a store instead of this host. */
export function addStoreScope(command: Command, description: string): void {
  command.option("--store [address]", description, (address: string) => [address]);
}

/** Declares the channel that a command follows or moves. */
export function addChannelOption(command: Command): void {
  command.option("--channel <name>", "the channel (env CSP_CHANNEL; default stable)");
}

/** Options that take the next word as their value, before a command. */
const valued = new Set(["-C", "--cwd", "--data-dir", "--reporter", "--lock-timeout", "--resolve-timeout", "--reason"]);

/** The first word that is neither an option nor an option's value: the command. */
export function commandName(argv: readonly string[]): string | undefined {
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] as string;
    if (word === "--") return undefined;
    if (!word.startsWith("-") || word === "-") return word;
    if (valued.has(word)) i++;
  }
  return undefined;
}

/** CSP_USAGE with the nearest word that exists. */
export function usageError(
  message: string,
  word: string | undefined,
  words: readonly string[],
  command?: string,
): CspError {
  const suggestion = word === undefined ? undefined : nearest(word, words);
  const [sentence = message, ...rest] = message.split("\n");
  const meant = /\(Did you mean (.+?)\?\)/.exec(rest.join("\n"))?.[1] ?? suggestion;
  return new CspError("CSP_USAGE", {
    message: sentence,
    hint:
      meant === undefined
        ? `run \`csp ${command === undefined ? "--help" : `${command} --help`}\``
        : `did you mean \`${meant}\`?`,
  });
}
