/** Results as the page docs/benchmarks.md. Pure. */
import { median, type Results, type ScenarioResult } from "./results.ts";
import { scenarios } from "./scenarios.ts";
import { judge, type Target, targets, type Verdict } from "./targets.ts";

/** The whole page. */
export function report(results: Results): string {
  const verdicts = targets.map((target) => judge(results, target));
  return `${[
    "# Benchmarks",
    "<!-- Written by bench/run.ts from bench/results.json; edit bench/report.ts instead. -->",
    intro(results),
    "## Targets",
    verdictTable(verdicts),
    shortfalls(verdicts),
    ...Object.entries(scenarios).flatMap(([name, { title, about }]) => {
      const result = results.scenarios[name];
      return result ? [`## ${title}`, about, table(result), footnote(result)] : [];
    }),
    method,
  ]
    .filter((part) => part !== "")
    .join("\n\n")}\n`;
}

function intro({ machine, set, versions }: Results): string {
  const peers = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `csp beside its peers on one machine, each table in one run, with the same ${count(set.locked)} locked packages below ${set.roots} roots (${count(set.installed)} of them for this platform), all from the same registry on loopback.

- Machine: ${machine.cpu}, ${machine.cores} cores, ${gigabytes(machine.memoryBytes)} GB, ${machine.system}
- Versions: ${peers.join(", ")}
- Repeat: \`$(sh bin/find-bun) bench/run.ts\`; parts of it: \`--only cold,noop --rounds 5\``;
}

function verdictTable(verdicts: readonly Verdict[]): string {
  return rows(
    ["situation", "csp", "compared with", "ratio", "target", ""],
    verdicts.map(({ target, csp, reference, ratio, met }) => [
      target.label,
      csp === undefined ? "–" : show(csp, target.metric),
      reference === undefined ? "–" : `${reference.name}: ${show(reference.value, target.metric)}`,
      ratio === undefined ? "–" : ratio.toFixed(2),
      limitText(target),
      met === undefined ? "not measured" : met ? "met" : "**NOT met**",
    ]),
  );
}

function limitText({ limit, metric }: Target): string {
  if (!("atMost" in limit)) return `≤ ${limit.ratio} × ${limit.to}`;
  return `≤ ${show(limit.atMost, metric)}${limit.beyond === undefined ? "" : ` beyond ${limit.beyond}`}`;
}

function shortfalls(verdicts: readonly Verdict[]): string {
  const missed = verdicts
    .filter((verdict) => verdict.met === false)
    .map((verdict) => verdict.target.label.toLowerCase());
  const open = verdicts
    .filter((verdict) => verdict.met === undefined)
    .map((verdict) => verdict.target.label.toLowerCase());
  return [
    missed.length > 0
      ? `Not met: ${missed.join("; ")}. What was tried and where the limits are: [0014](decisions/0014-limits-of-speed.md).`
      : "",
    open.length > 0 ? `Not measured in this run: ${open.join("; ")}.` : "",
  ]
    .filter((line) => line !== "")
    .join("\n");
}

const heads: Readonly<Record<string, string>> = { ms: "time", syncedMs: "with sync", peakBytes: "peak memory" };

/** One line a peer, one column a metric, sorted by the first metric. */
function table(result: ScenarioResult): string {
  const metrics = [...new Set(Object.values(result.peers).flatMap((samples) => Object.keys(samples)))];
  const first = metrics[0] ?? "";
  const measured = Object.entries(result.peers)
    .filter(([, samples]) => samples[first] !== undefined)
    .toSorted(([, a], [, b]) => median(a[first] ?? []) - median(b[first] ?? []));
  return rows(
    ["", ...metrics.map((metric) => heads[metric] ?? metric)],
    measured.map(([name, samples]) => [name, ...metrics.map((metric) => cell(samples[metric] ?? [], metric))]),
  );
}

/** `median (least to most)`. */
function cell(values: readonly number[], metric: string): string {
  if (values.length === 0) return "–";
  const middle = show(median(values), metric);
  return values.length === 1
    ? middle
    : `${middle} (${bare(Math.min(...values), metric)} to ${bare(Math.max(...values), metric)})`;
}

function footnote({ rounds, date, fileSystem, load, failed }: ScenarioResult): string {
  const reasons = Object.entries(failed).map(
    ([name, reason]) => `- ${name} was not measured: ${reason.replaceAll("\n", " ")}`,
  );
  return [
    `${date}, ${rounds} round${rounds === 1 ? "" : "s"}, ${fileSystem}, load average ${load} at the start.`,
    ...reasons,
  ].join("\n");
}

const method = `## Method

- Medians, with the least and the most in brackets. The peers take turns in every round (A B C, A B C), so what slows the machine slows all of them.
- Every peer starts from the same set: exact versions with their integrity, in \`bench/packages.jsonl\`. npm fetches the tarballs once into a cache directory; a process of its own then serves them from memory on loopback, together with packuments that show only those versions. It shares the machine's cores with whoever is measured.
- Each peer resolves its own lockfile from that registry before anything is measured. All installs are frozen, with install scripts off.
- bun is measured in all its layouts; pnpm with its global virtual store. Each has its own home, store and cache.
- Every cold run has a fresh directory, and nothing is deleted during a series: on a file system that discards freed blocks, a large deletion makes the following runs many times slower.
- The file system is synced before each run. **csp's time includes its own sync to disk before a tree becomes current; the peers write no such thing**, and a power cut after they finish can leave files full of zeros. "With sync" is the time with a sync of the file system right behind the command, which makes them comparable; ratios and targets use the plain time, which favours the peers.
- Peak memory is the largest resident size of any one process of the command. Below about 30 MB it is the measuring process's own.
- After each run the harness checks that every root, and in the last case also the package far below, is there in the version that the lockfile says.`;

function rows(head: readonly string[], body: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), `|${"---|".repeat(head.length)}`, ...body.map(line)].join("\n");
}

function show(value: number, metric: string): string {
  const text = bare(value, metric);
  return isBytes(metric) ? `${text} MB` : isTime(metric) ? `${text} ms` : text;
}

function bare(value: number, metric: string): string {
  if (isBytes(metric)) return count(Math.round(value / 1e6));
  if (isTime(metric)) return value < 10 ? value.toFixed(1) : count(Math.round(value));
  return count(Math.round(value));
}

function isBytes(metric: string): boolean {
  return metric === "peakBytes" || metric.startsWith("bytes ");
}

function isTime(metric: string): boolean {
  return metric === "ms" || metric === "syncedMs";
}

function count(value: number): string {
  return value.toLocaleString("en");
}

function gigabytes(bytes: number): number {
  return Math.round(bytes / 2 ** 30);
}
