/**
 * Measures csp beside bun and pnpm, adds to bench/results.json and writes docs/benchmarks.md.
 *
 *   $(sh bin/find-bun) bench/run.ts                       everything but `real`
 *     --only cold,noop   these scenarios; the others keep their last results. `host` is all of rollback, gc and verify, `store` all about stores
 *     --peers csp,bun    only these products
 *     --rounds 5         rounds of each scenario
 *     --cache DIR        where the packages and the peers stay between runs
 *     --work DIR         where installs go: a directory of its own is made there, and deleted at the end
 *     --date 2030-01-31  the date the results carry
 *     --real             also from the registry of the machine's npm configuration
 *     --report           write the page from the last results and measure nothing
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { cpus, homedir, release, tmpdir, totalmem, type } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { makeBench } from "./bench.ts";
import { bunDriver } from "./drivers/bun.ts";
import { cspDriver } from "./drivers/csp.ts";
import type { Driver } from "./drivers/driver.ts";
import { pnpmDriver } from "./drivers/pnpm.ts";
import { fill, onThisPlatform } from "./fill.ts";
import { startMirror } from "./mirror.ts";
import { report } from "./report.ts";
import type { Results } from "./results.ts";
import { scenarios } from "./scenarios.ts";
import { readSet } from "./set.ts";

const resultsFile = join(import.meta.dir, "results.json");
const pageFile = join(import.meta.dir, "..", "docs", "benchmarks.md");

const { values: flags } = parseArgs({
  options: {
    only: { type: "string" },
    peers: { type: "string", default: "csp,bun,pnpm" },
    rounds: { type: "string", default: "5" },
    cache: { type: "string", default: join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "csp-bench") },
    work: { type: "string", default: tmpdir() },
    date: { type: "string", default: new Date().toISOString().slice(0, 10) },
    real: { type: "boolean", default: false },
    report: { type: "boolean", default: false },
  },
});

/** The wanted drivers; one that cannot start is said and left out. */
function drivers(wanted: readonly string[], cache: string): Driver[] {
  const bun = process.execPath;
  const makers: readonly [product: string, make: () => Driver][] = [
    ["csp", () => cspDriver(cache)],
    ["bun", () => bunDriver(bun, "hoisted")],
    ["bun", () => bunDriver(bun, "isolated")],
    ["bun", () => bunDriver(bun, "global store")],
    ["pnpm", () => pnpmDriver(cache)],
  ];
  return makers.flatMap(([product, make]) => {
    if (!wanted.includes(product)) return [];
    try {
      return [make()];
    } catch (error) {
      console.error(`${product} is left out: ${error}`);
      return [];
    }
  });
}

async function lastResults(): Promise<Results | undefined> {
  const file = Bun.file(resultsFile);
  return (await file.exists()) ? ((await file.json()) as Results) : undefined;
}

async function write(results: Results): Promise<void> {
  await Bun.write(resultsFile, `${JSON.stringify(results, null, 2)}\n`);
  Bun.spawnSync(["npx", "biome", "format", "--write", resultsFile]);
  await Bun.write(pageFile, report(results));
}

/** The scenarios of a group; undefined for a word that names none. */
function inGroup(word: string): string[] | undefined {
  const found = Object.entries(scenarios).flatMap(([name, { group }]) => (group === word ? [name] : []));
  return found.length > 0 ? found : undefined;
}

async function run(): Promise<void> {
  const all = Object.keys(scenarios);
  const names =
    flags.only?.split(",").flatMap((word) => inGroup(word) ?? [word]) ??
    all.filter((name) => name !== "real" || flags.real);
  const unknown = names.find((name) => !all.includes(name));
  if (unknown !== undefined) throw new Error(`there is no scenario ${unknown}, but ${all.join(", ")}`);
  const chosen = Object.entries(scenarios).filter(([name]) => names.includes(name));

  const set = await readSet();
  await mkdir(flags.cache, { recursive: true });
  fill(set, flags.cache);
  const mirror = await startMirror(flags.cache);
  const work = await mkdtemp(join(flags.work, "csp-bench-"));
  try {
    const bench = makeBench({
      set,
      mirror,
      work,
      drivers: drivers(flags.peers.split(","), flags.cache),
      rounds: Number(flags.rounds),
      date: flags.date,
    });
    for (const [name, scenario] of chosen) {
      console.error(`${scenario.title} …`);
      const result = await scenario.run(bench);
      const last = await lastResults();
      await write({
        format: 1,
        machine: {
          cpu: cpus()[0]?.model.trim() ?? "unknown",
          cores: cpus().length,
          memoryBytes: totalmem(),
          system: `${type()} ${release()}`,
        },
        set: {
          roots: Object.keys(set.roots).length,
          locked: set.packages.length,
          installed: onThisPlatform(set.packages).length,
        },
        versions: { ...last?.versions, ...Object.fromEntries(bench.drivers.map((d) => [d.product, d.version])) },
        scenarios: { ...last?.scenarios, [name]: result },
      });
    }
  } finally {
    mirror.stop();
    await rm(work, { recursive: true });
  }
}

if (flags.report) {
  const last = await lastResults();
  if (!last) throw new Error("there are no results yet");
  await write(last);
} else {
  await run();
}
