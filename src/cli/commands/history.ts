import type { JournalEntry } from "../../core/journal.ts";
import { readHistory } from "../../ops/history.ts";
import type { CommandModule, CommonOptions } from "../command.ts";
import { parseCount } from "../counts.ts";
import type { Paint } from "../paint.ts";
import { alignRows } from "../table.ts";

export const history: CommandModule<CommonOptions & { count?: string }> = {
  define(command) {
    command.option("-n, --count <count>", "only the newest ones");
  },
  async run(session, _args, options) {
    const limit = options.count === undefined ? undefined : parseCount(options.count, "-n");
    const entries = readHistory(session.context(), limit);
    const { paint } = session;
    const header = ["when", "from", "to", "command", "by", "why"].map((title) => paint.dim(title));
    const lines =
      entries.length === 0
        ? ["nothing was ever switched on this host"]
        : alignRows([header, ...entries.map((entry) => row(entry, paint))]);
    return {
      lines,
      data: entries.map((entry) => ({ ...entry, kind: entry.kind ?? "install", holds: entry.holds ?? null })),
    };
  },
};

function row({ at, from, to, command, by, reason, kind, holds }: JournalEntry, paint: Paint): string[] {
  const when = `${at.slice(0, 19).replace("T", " ")}Z`;
  const remark = holds === undefined ? [] : [`holds ${holds.slice(0, 12)}`];
  const why = [...remark, ...(reason === null ? [] : [reason])].join(": ");
  if (kind === "resume" || kind === "mended") return [when, "", kind, command, by, why];
  return [when, from === null ? "-" : from.slice(0, 12), paint.bold(to.slice(0, 12)), command, by, why];
}
