import { formatSize } from "../../core/quantity.ts";
import { type EntryState, type ListedEntry, listAllowlist, listGraph } from "../../ops/list.ts";
import type { CommandModule, CommonOptions } from "../command.ts";
import type { Paint } from "../paint.ts";
import { counted } from "../summary.ts";
import { alignRows } from "../table.ts";

export const list: CommandModule<CommonOptions & { all?: boolean }> = {
  define(command) {
    command.option("-a, --all", "every package of the lockfile, with its depth");
  },
  async run(session, _args, options) {
    const ctx = session.context();
    const { paint } = session;
    if (options.all) {
      const packages = listGraph(ctx);
      const rows = packages.map(({ name, version, depth, size, here }) => [
        name,
        version,
        String(depth),
        size === null ? "?" : formatSize(size),
        here ? "" : paint.dim("other platform"),
      ]);
      const header = ["package", "version", "depth", "size", ""].map((title) => paint.dim(title));
      const total = packages.reduce((sum, { size }) => sum + (size ?? 0), 0);
      const lines =
        packages.length === 0
          ? ["no packages are locked"]
          : [...alignRows([header, ...rows], [2, 3]), `${counted(packages.length, "package")}, ${formatSize(total)}`];
      return { lines, data: packages };
    }
    const entries = listAllowlist(ctx);
    const header = ["package", "version", "size", "state"].map((title) => paint.dim(title));
    const lines =
      entries.length === 0
        ? ["no packages are allowed yet; run `csp add <package>`"]
        : alignRows([header, ...entries.map((entry) => row(entry, paint))], [2]);
    return { lines, data: entries };
  },
};

function row(entry: ListedEntry, paint: Paint): string[] {
  const { name, version, size, state, optional, reason } = entry;
  const target = entry.package === name ? name : `${name} (${entry.package})`;
  const remarks = [
    words(state, paint),
    ...(optional ? ["optional"] : []),
    ...(reason === null ? [] : [paint.dim(reason)]),
  ];
  return [target, version, size === null ? "" : formatSize(size), remarks.join(", ")];
}

function words(state: EntryState, paint: Paint): string {
  if (state === "installed") return paint.green("installed");
  if (state === "locked") return paint.yellow("locked, not on this host");
  if (state === "not-locked") return paint.yellow("not locked");
  return state === "disabled" ? paint.dim("disabled") : paint.dim("for other platforms");
}
