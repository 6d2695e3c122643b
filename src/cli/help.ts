/** Help: short and grouped for csp itself, short with `-h` and long with `--help` for a command. */
import type { Command } from "commander";
import { catalog } from "./catalog/catalog.ts";
import type { CatalogEntry } from "./catalog/entry.ts";

/** What `csp` alone prints. */
export function shortHelp(): string {
  const groups = [...new Set(catalog.map((entry) => entry.group))];
  const lines = ["csp: packages for scripts that run on fleets", "", "usage: csp <command> [options]"];
  for (const group of groups) {
    lines.push("", `${group}:`);
    for (const { name, summary, hidden, group: own } of catalog) {
      if (own === group && !hidden) lines.push(`  ${name.padEnd(9)} ${summary}`);
    }
  }
  lines.push("", "`csp <command> -h` lists its options, `--help` adds examples.", "");
  return lines.join("\n");
}

/** Sets up help for the program, or for one command with its examples. */
export function configureHelp(command: Command, entry?: CatalogEntry): void {
  command.helpOption("-h, --help", "show this help; `--help` with examples");
  command.configureHelp({ sortOptions: false, showGlobalOptions: false });
  if (entry === undefined) {
    command.helpInformation = shortHelp;
    command.helpCommand(false);
    command.option("-V, --version", "print the version");
    return;
  }
  command.addHelpText("after", () => {
    if (process.argv.includes("-h")) return "";
    const effect = entry.mutates ? "changes files; `--dry-run` shows what" : "changes nothing";
    const examples = entry.examples.flatMap(([line, meaning]) => [`  ${line}`, `      ${meaning}`]);
    return `\neffect: ${effect}\n\nexamples:\n${examples.join("\n")}`;
  });
}
