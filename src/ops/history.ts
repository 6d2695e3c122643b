/** What the journal says, newest first. */
import type { JournalEntry } from "../core/journal.ts";
import { readJournal } from "../tree/journal.ts";
import { hostPaths } from "../tree/layout.ts";
import type { Context } from "./context.ts";

/** The newest entries, at most `limit`; warns of CSP_WARN_JOURNAL where lines cannot be read. */
export function readHistory(ctx: Pick<Context, "dataRoot" | "warn">, limit: number | undefined): JournalEntry[] {
  const { entries, damage } = readJournal(hostPaths(ctx.dataRoot));
  if (damage !== undefined) {
    ctx.warn({
      code: "CSP_WARN_JOURNAL",
      message: `line ${damage.line} of the journal cannot be read: ${damage.why}`,
      hint: "run `csp verify` to see what else is damaged",
    });
  }
  return entries.toReversed().slice(0, limit);
}
