/** What the program and its help know of a command before it is loaded. */
import type { CommandModule } from "../command.ts";

export interface CatalogEntry {
  name: string;
  aliases: readonly string[];
  group: "Packages" | "This host" | "Stores" | "Scripts" | "Project";
  summary: string;
  examples: readonly (readonly [command: string, meaning: string])[];
  /** Changes files: takes `--dry-run`. */
  mutates: boolean;
  /** Left out of lists. */
  hidden?: boolean;
  // biome-ignore lint/suspicious/noExplicitAny: each command knows its own options
  load: () => Promise<CommandModule<any>>;
}
