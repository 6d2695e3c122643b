/** docs/reference/cli.md, the README and the code name the same commands, arguments and options. */
import { expect, test } from "bun:test";
import { Command } from "commander";
import { catalog } from "../../../src/cli/catalog/catalog.ts";
import type { CatalogEntry } from "../../../src/cli/catalog/entry.ts";
import { addCommonOptions } from "../../../src/cli/options.ts";
import { quotedIn, readPage, sectionsOf, tableRows } from "./page.ts";

const sections = sectionsOf(readPage("docs/reference/cli.md"));
const commands = catalog.filter((entry) => !entry.hidden);

function section(title: string): string {
  const text = sections.get(title);
  if (text === undefined) throw new Error(`docs/reference/cli.md has no section \`${title}\``);
  return text;
}

/** The first cells of a section's tables, without back-quotes: `--linker <kind>`. */
function documentedOptions(title: string): string[] {
  return tableRows(section(title))
    .flatMap(([first = ""]) => quotedIn(first))
    .filter((text) => text.startsWith("-"))
    .sort();
}

function flags(command: Command): string[] {
  return command.options.map((option) => option.flags).sort();
}

async function defined(entry: CatalogEntry): Promise<Command> {
  const command = new Command(entry.name);
  (await entry.load()).define(command);
  return command;
}

test("every command has a section, and every section a command", () => {
  const titles = [...sections.keys()].filter((title) => title.startsWith("csp ")).sort();
  expect(titles).toEqual(commands.map((entry) => `csp ${entry.name}`).sort());
});

for (const entry of commands) {
  test(`csp ${entry.name}: usage, aliases, options, exit codes`, async () => {
    const command = await defined(entry);
    const text = section(`csp ${entry.name}`);
    expect(text).toContain(`\ncsp ${entry.name} ${command.usage()}\n`);
    expect(documentedOptions(`csp ${entry.name}`)).toEqual(flags(command));
    const aliases = /^Aliases: (.+)\.$/m.exec(text)?.[1];
    expect(quotedIn(aliases ?? "")).toEqual(entry.aliases.map((alias) => `csp ${alias}`));
    expect(text).toMatch(/^Exit codes: /m);
    expect(/^Changes files\b/m.test(text)).toBe(entry.mutates);
  });
}

test("the options that all commands share", () => {
  const shared = new Command();
  addCommonOptions(shared, false);
  const changing = new Command();
  addCommonOptions(changing, true);
  expect(documentedOptions("Options of every command").filter((flag) => !/--(?:help|version)$/.test(flag))).toEqual(
    flags(shared),
  );
  expect(documentedOptions("Options of commands that change files")).toEqual(
    flags(changing).filter((flag) => !flags(shared).includes(flag)),
  );
});

test("the README lists every command", () => {
  const rows = tableRows(sectionsOf(readPage("README.md")).get("Commands") ?? "");
  const named = rows.flatMap(([first = ""]) => quotedIn(first)).map((command) => command.split(" ")[1]);
  expect(named.sort()).toEqual(commands.map((entry) => entry.name).sort());
});
