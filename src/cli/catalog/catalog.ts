/** All commands, in the order of the short help. */
import type { CatalogEntry } from "./entry.ts";
import { hostCommands } from "./host.ts";
import { packageCommands } from "./packages.ts";
import { projectCommands } from "./project.ts";
import { scriptCommands } from "./scripts.ts";
import { storeCommands } from "./stores.ts";

export const catalog: readonly CatalogEntry[] = [
  ...projectCommands,
  ...packageCommands,
  ...hostCommands,
  ...storeCommands,
  ...scriptCommands,
];

/** The entry of a name or an alias. */
export function findCommand(name: string): CatalogEntry | undefined {
  return catalog.find((entry) => entry.name === name || entry.aliases.includes(name));
}
