import { formatSize } from "../../core/quantity.ts";
import { short } from "../../ops/current-tree.ts";
import type { RetiredTree } from "../../ops/host-facts.ts";
import { readStatus, type Status } from "../../ops/status.ts";
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
    const { refused, ...data } = found;
    const gc = refused === null ? null : { refused: refused.code, message: refused.message };
    return { lines: statusLines(found, session.paint), data: { ...data, gc }, ...(options.exitCode ? { exit } : {}) };
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
  if (found.store !== null) {
    const { address, channel, release, generation } = found.store;
    rows.push([channel, short(release), `${address}, generation ${generation}`]);
  }
  if (previous !== null) rows.push(["previous", short(previous), ""]);
  rows.push(
    ...hostRows(found, paint),
    ["platform", platform, ""],
    ["data", "", [found.dataDirectory, ...freeWords(found)].join(", ")],
  );
  return [
    paint.bold(title),
    ...alignRows(rows).map((line) => `  ${line}`),
    ...[...found.drift, ...refusal(found)].map((line) => `${paint.yellow("!")} ${line}`),
    ...(found.hint === null ? [] : [`${paint.cyan("help:")} run \`${found.hint}\``]),
  ];
}

/** What is held, pinned, running and retired. */
function hostRows({ held, pins, running, retired }: Status, paint: Paint): string[][] {
  const why = (text: string | null): string => (text === null ? "" : `: ${text}`);
  return [
    ...held.map(({ hash, since, by, reason }) => ["held", short(hash), `since ${since} by ${by}${why(reason)}`]),
    ...running.map(({ hash, processes }) => ["running", short(hash), processWords(processes)]),
    ...pins.map(({ hash, at, by, reason }) => ["pinned", short(hash), paint.dim(`since ${at} by ${by}${why(reason)}`)]),
    ...retired.map((tree) => ["retired", short(tree.hash), paint.dim(retiredWords(tree))]),
  ];
}

function processWords(processes: readonly number[]): string {
  if (processes.length === 0) return "a process that cannot be told";
  return `${processes.length === 1 ? "process" : "processes"} ${processes.join(", ")}`;
}

function retiredWords({ since, collectableAt, keptBy }: RetiredTree): string {
  if (keptBy.length === 0) return `since ${since}, \`csp gc\` removes it`;
  return `since ${since}, ${collectableAt === null ? keptBy.join("; ") : `kept until ${collectableAt}`}`;
}

function freeWords({ free }: Status): string[] {
  if (free === null) return [];
  const inodes = free.inodes === undefined ? "" : ` and ${free.inodes} inodes`;
  return [`${formatSize(free.bytes)}${inodes} free on ${free.fileSystem}`];
}

function refusal({ refused }: Status): string[] {
  return refused === null ? [] : [`\`csp gc\` would refuse: ${refused.message}`];
}
