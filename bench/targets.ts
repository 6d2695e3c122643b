/** What csp promises to reach, and whether a run did. Pure. */
import { medianOf, type Results } from "./results.ts";

export interface Target {
  scenario: string;
  metric: string;
  label: string;
  /** Who has to reach it, by its name in the table; `csp` where it is not said. */
  peer?: string;
  /** Ratios are of csp's median to the reference's; absolute limits are in the metric's unit, maybe beyond another's. */
  limit:
    | {
        ratio: number;
        to: "the fastest peer" | "the fastest bun" | "one version" | "rm -rf" | "read and sha512" | "rclone copy";
      }
    | { atMost: number; beyond?: string };
}

export const targets: readonly Target[] = [
  { scenario: "startup", metric: "ms", label: "Start-up", limit: { atMost: 10 } },
  { scenario: "noop", metric: "ms", label: "Nothing to do", limit: { ratio: 0.35, to: "the fastest bun" } },
  { scenario: "gone", metric: "ms", label: "Tree gone", limit: { ratio: 0.25, to: "the fastest peer" } },
  {
    scenario: "leaf",
    metric: "ms",
    label: "One root changed, new tree",
    limit: { ratio: 0.25, to: "the fastest peer" },
  },
  {
    scenario: "deep",
    metric: "ms",
    label: "One package far below changed, new tree",
    limit: { ratio: 0.25, to: "the fastest peer" },
  },
  { scenario: "switch", metric: "ms", label: "Switch", limit: { atMost: 15 } },
  { scenario: "cold", metric: "ms", label: "Cold, from the registry", limit: { ratio: 0.9, to: "the fastest bun" } },
  {
    scenario: "disk",
    metric: "bytes five leaf",
    label: "Five versions, one root",
    limit: { ratio: 1.1, to: "one version" },
  },
  {
    scenario: "disk",
    metric: "bytes five deep",
    label: "Five versions, far below",
    limit: { ratio: 1.1, to: "one version" },
  },
  {
    scenario: "rollback",
    metric: "ms",
    label: "Rollback",
    peer: "csp rollback",
    limit: { atMost: 15, beyond: "bun empty.ts" },
  },
  {
    scenario: "rollback",
    metric: "ms",
    label: "Use",
    peer: "csp use",
    limit: { atMost: 15, beyond: "bun empty.ts" },
  },
  {
    scenario: "gcDryRun",
    metric: "ms",
    label: "What could be collected of 100 trees",
    peer: "csp gc --dry-run",
    limit: { atMost: 500 },
  },
  { scenario: "gc", metric: "ms", label: "Collect", peer: "csp gc", limit: { ratio: 1.1, to: "rm -rf" } },
  {
    scenario: "verify",
    metric: "ms",
    label: "Verify",
    peer: "csp verify",
    limit: { ratio: 1.25, to: "read and sha512" },
  },
  {
    scenario: "syncCold",
    metric: "ms",
    label: "A new host, from a directory",
    peer: "csp sync, directory",
    limit: { ratio: 0.7, to: "the fastest bun" },
  },
  ...["csp serve", "S3 (Ceph)", "Postgres"].map(
    (store): Target => ({
      scenario: "syncCold",
      metric: "ms",
      label: `A new host, from ${store}`,
      peer: `csp sync, ${store}`,
      limit: { ratio: 1, to: "the fastest bun" },
    }),
  ),
  ...["directory", "csp serve", "S3 (Ceph)", "Postgres"].flatMap((store): Target[] => [
    {
      scenario: "syncDelta",
      metric: "ms",
      label: `One package changed, from ${store}`,
      peer: `csp sync, ${store}`,
      limit: { atMost: 150, beyond: "csp --version" },
    },
    {
      scenario: "syncNoop",
      metric: "ms",
      label: `In step, ${store}`,
      peer: `csp sync, ${store}`,
      limit: { atMost: 50 },
    },
    {
      scenario: "syncCold",
      metric: "peakBytes",
      label: `Peak memory, a new host from ${store}`,
      peer: `csp sync, ${store}`,
      limit: { atMost: 250e6 },
    },
  ]),
  // 70 % of the other's speed is 1 / 0.7 of its time.
  {
    scenario: "publish",
    metric: "ms",
    label: "Publish",
    peer: "csp publish",
    limit: { ratio: 1.43, to: "rclone copy" },
  },
  {
    scenario: "migrate",
    metric: "ms",
    label: "Migrate",
    peer: "csp migrate",
    limit: { ratio: 1.43, to: "rclone copy" },
  },
  {
    scenario: "publish",
    metric: "peakBytes",
    label: "Peak memory, publish",
    peer: "csp publish",
    limit: { atMost: 250e6 },
  },
  {
    scenario: "migrate",
    metric: "peakBytes",
    label: "Peak memory, migrate",
    peer: "csp migrate",
    limit: { atMost: 250e6 },
  },
  { scenario: "cold", metric: "peakBytes", label: "Peak memory, cold", limit: { atMost: 250e6 } },
];

export interface Verdict {
  target: Target;
  csp: number | undefined;
  /** What csp is compared with, and its median. */
  reference: { name: string; value: number } | undefined;
  ratio: number | undefined;
  met: boolean | undefined;
}

/** Holds a run against one target; `met` is undefined where csp or the reference was not measured. */
export function judge(results: Results, target: Target): Verdict {
  const { scenario, metric, limit, peer = "csp" } = target;
  const result = results.scenarios[scenario];
  const csp = medianOf(result, peer, metric);
  if ("atMost" in limit) {
    const start = limit.beyond === undefined ? 0 : medianOf(result, limit.beyond, metric);
    return {
      target,
      csp,
      reference: limit.beyond === undefined || start === undefined ? undefined : { name: limit.beyond, value: start },
      ratio: undefined,
      met: csp === undefined || start === undefined ? undefined : csp - start <= limit.atMost,
    };
  }
  const rivals =
    limit.to === "one version"
      ? [{ name: "one version", value: medianOf(result, "csp", metric.replace(/ .*/, " one")) }]
      : Object.keys(result?.peers ?? {})
          .filter((name) => isRival(name, limit.to))
          .map((name) => ({ name, value: medianOf(result, name, metric) }));
  const measured = rivals.filter((rival): rival is { name: string; value: number } => rival.value !== undefined);
  const reference = measured.toSorted((a, b) => a.value - b.value)[0];
  const ratio = csp === undefined || reference === undefined ? undefined : csp / reference.value;
  return { target, csp, reference, ratio, met: ratio === undefined ? undefined : ratio <= limit.ratio };
}

function isRival(name: string, to: string): boolean {
  if (to === "the fastest bun") return name.startsWith("bun ");
  return to === "the fastest peer" ? name !== "csp" : name === to;
}
