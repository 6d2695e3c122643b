import { formatSize } from "../../core/quantity.ts";
import { readStatus, type Status, short } from "../../ops/status.ts";
import type { CommandModule, CommonOptions } from "../command.ts";
import type { Paint } from "../paint.ts";
import { counted } from "../summary.ts";
import { alignRows } from "../table.ts";

export const status: CommandModule<CommonOptions & { exitCode?: boolean }> = {
  define(command) {
    command.option("--exit-code", "exit 0 when ready, 1 when not ready, 6 when there is no tree");
  },
  async run(session, _args, options) {
    const found = readStatus(session.context());
    const exit = found.state === "ready" ? 0 : found.state === "none" ? 6 : 1;
    return { lines: statusLines(found, session.paint), data: found, ...(options.exitCode ? { exit } : {}) };
  },
};

function statusLines(found: Status, paint: Paint): string[] {
  const { state, current, desired, previous, platform } = found;
  const title =
    state === "ready"
      ? paint.green("ready")
      : state === "none"
        ? paint.yellow("none: nothing is installed here")
        : paint.yellow("not ready");
  const rows: string[][] = [];
  if (desired !== null) rows.push(["desired", short(desired.hash), counted(desired.packages, "package")]);
  if (current !== null) {
    const facts = [counted(current.packages, "package"), formatSize(current.bytes), current.linker];
    rows.push(["current", short(current.hash), facts.join(", ")]);
    if (current.since !== null)
      rows.push([
        "",
        "",
        paint.dim(`since ${current.since} by ${current.by}${current.reason ? `: ${current.reason}` : ""}`),
      ]);
  }
  if (previous !== null) rows.push(["previous", short(previous), ""]);
  rows.push(["platform", platform, ""], ["data", found.dataDirectory, ""]);
  return [
    paint.bold(title),
    ...alignRows(rows).map((line) => `  ${line}`),
    ...found.drift.map((line) => `${paint.yellow("!")} ${line}`),
    ...(found.hint === null ? [] : [`${paint.cyan("help:")} run \`${found.hint}\``]),
  ];
}
