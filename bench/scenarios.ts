/** The situations that are measured, by name. Each leaves its places as the next one expects them. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Bench, install, installProject, type Taken, takeTurns } from "./bench.ts";
import { type Driver, projectOf, writeProject } from "./drivers/driver.ts";
import { hostScenarios } from "./host-scenarios.ts";
import { diskUsage, flush, measure } from "./measure.ts";
import type { ScenarioResult } from "./results.ts";
import { base } from "./set.ts";
import { storeScenarios } from "./store-scenarios.ts";

export interface Scenario {
  title: string;
  /** One sentence for the page: what state, what command. */
  about: string;
  /** Scenarios that `--only` can choose by one word. */
  group?: "host" | "store";
  run(bench: Bench): Promise<ScenarioResult>;
}

const nothing = async () => {};

/** Wall time, the same with a sync behind it, and peak memory. */
function samplesOf(shot: Taken): Record<string, number> {
  return { ms: shot.ms, syncedMs: shot.syncedMs, peakBytes: shot.peakBytes };
}

/** Each product once, and bun with an empty program, which is the least that a program on bun can take. */
function starters(bench: Bench): Driver[] {
  const each = bench.drivers.filter((driver, i, all) => all.findIndex((d) => d.product === driver.product) === i);
  return each.flatMap((driver) => {
    const named = { ...driver, name: driver.product };
    if (driver.product !== "bun") return [named];
    const empty = join(bench.work, "empty.ts");
    writeFileSync(empty, "");
    const argv = [driver.startUp.argv[0] ?? "bun", empty];
    return [named, { ...driver, name: "bun empty.ts", startUp: { ...driver.startUp, argv } }];
  });
}

/** `install` where the base is installed. */
function nothingToDo(mode: "plain" | "frozen"): Scenario["run"] {
  return (bench) =>
    takeTurns(
      bench,
      bench.rounds,
      async (driver) => install(bench, driver, await bench.warmPlace(driver), base),
      async (driver) => samplesOf(installProject(bench, driver, await bench.warmPlace(driver), base, mode)),
    );
}

/** From the base to versions that were downloaded but never built, one package at a time, each once in a place. */
function changed(kind: "leaf" | "deep", use: "beside" | "in place"): Scenario["run"] {
  return (bench) => {
    const rounds = Math.min(bench.rounds, bench.set[kind].versions.length);
    return takeTurns(
      bench,
      rounds,
      async (driver) => {
        for (let n = 0; n < rounds; n += 1) await bench.files(driver, { kind, n });
        await install(bench, driver, await bench.warmPlace(driver, use), base);
      },
      async (driver, n) => {
        const place = await bench.warmPlace(driver, use);
        const sameProject = use === "in place" || driver.product === "csp";
        const project = sameProject ? place : projectOf(place, `${kind}-${n}`);
        const shot = await install(bench, driver, project, { kind, n });
        if (project !== place) bench.leave(project.project);
        return samplesOf(shot);
      },
    );
  };
}

export const scenarios: Readonly<Record<string, Scenario>> = {
  startup: {
    title: "Start-up",
    about: "`--version`, which starts the program and does nothing; five runs in each round.",
    run: (bench) =>
      takeTurns({ ...bench, drivers: starters(bench) }, bench.rounds * 5, nothing, async (driver) => {
        const { ms } = measure(driver.startUp);
        return { ms };
      }),
  },
  noop: {
    title: "Nothing to do",
    about: "`install` again after an install.",
    run: nothingToDo("plain"),
  },
  frozen: {
    title: "Nothing to do, frozen",
    about: "The same with `--frozen-lockfile`, as CI types it.",
    run: nothingToDo("frozen"),
  },
  gone: {
    title: "Tree gone",
    about:
      "The installed tree is gone (`node_modules`; for csp `trees` and `current`), everything else is on the machine.",
    run: (bench) =>
      takeTurns(
        bench,
        bench.rounds,
        async (driver) => install(bench, driver, await bench.warmPlace(driver), base),
        async (driver) => {
          const place = await bench.warmPlace(driver);
          const gone = driver.dropTree(place);
          const shot = await install(bench, driver, place, base);
          bench.leave(gone);
          return samplesOf(shot);
        },
      ),
  },
  leaf: {
    title: "One package changed, a root",
    about:
      "A project that has no tree yet installs a lockfile that differs from the installed ones in one root that nothing depends on; that version is downloaded but was never installed. This is what a new tree beside the old one costs, which is what csp always makes.",
    run: changed("leaf", "beside"),
  },
  deep: {
    title: "One package changed, far below",
    about: "The same with one package at the far end of the graph, so that the closure of everything above it changes.",
    run: changed("deep", "beside"),
  },
  leafInPlace: {
    title: "One package changed in place, a root",
    about:
      "The same lockfiles, but the peers change the one tree they have under whoever uses it. csp makes a new tree.",
    run: changed("leaf", "in place"),
  },
  deepInPlace: {
    title: "One package changed in place, far below",
    about: "The same with the package far below.",
    run: changed("deep", "in place"),
  },
  switch: {
    title: "Switch",
    about: "The lockfile changes between two versions whose trees are both built, forth and back.",
    async run(bench) {
      const variants = [{ kind: "leaf", n: 0 }, base] as const;
      const only = { ...bench, drivers: bench.drivers.filter((driver) => driver.product === "csp") };
      return takeTurns(
        only,
        bench.rounds * 2,
        async (driver) => {
          for (const variant of variants) await install(bench, driver, await bench.warmPlace(driver), variant);
        },
        async (driver, round) =>
          samplesOf(await install(bench, driver, await bench.warmPlace(driver), variants[round % 2] ?? base)),
      );
    },
  },
  cold: {
    title: "Cold, from the registry",
    about: "An empty machine with the lockfile: no cache, no store, no tree; frozen.",
    run: (bench) =>
      takeTurns(
        bench,
        bench.rounds,
        (driver) => bench.files(driver, base),
        async (driver) => {
          const place = bench.place(driver);
          const shot = await install(bench, driver, place, base);
          bench.leave(place.root);
          return samplesOf(shot);
        },
      ),
  },
  real: {
    title: "Cold, from the real registry",
    about: "The same against the registry of the machine's npm configuration, with the network's moods; only by name.",
    run: (bench) =>
      takeTurns(
        bench,
        bench.rounds,
        (driver) => bench.files(driver, base),
        async (driver) => {
          const place = bench.place(driver, "real");
          const files = Object.entries(await bench.files(driver, base));
          // An empty URL in bun.lock means the configured registry.
          writeProject(
            place,
            Object.fromEntries(
              files.map(([name, text]) => [name, text.replace(/"http:\/\/127\.0\.0\.1:[^"]*"/g, '""')]),
            ),
          );
          const shot = installProject(bench, driver, place, base);
          bench.leave(place.root);
          return samplesOf(shot);
        },
      ),
  },
  disk: {
    title: "Five versions on disk",
    about:
      "Allocated bytes and inodes of store and trees with one version installed, with five that differ in one root, and with five that differ in one package far below. Peers have one project for each version.",
    run: (bench) =>
      takeTurns(bench, 1, nothing, async (driver) => {
        const place = bench.place(driver);
        const sample: Record<string, number> = {};
        const usage = (label: string) => {
          flush();
          const { bytes, inodes } = diskUsage(place.root);
          sample[`bytes ${label}`] = bytes;
          sample[`inodes ${label}`] = inodes;
        };
        const more = async (kind: "leaf" | "deep") => {
          for (let n = 0; n < 4; n += 1) {
            const project = driver.product === "csp" ? place : projectOf(place, `project-${kind}-${n}`);
            await install(bench, driver, project, { kind, n });
          }
        };
        await install(bench, driver, place, base);
        usage("one");
        await more("leaf");
        usage("five leaf");
        await more("deep");
        usage("nine");
        // Nine versions less the four of the other kind are the five of this kind.
        for (const unit of ["bytes", "inodes"]) {
          const [one = 0, five = 0, nine = 0] = ["one", "five leaf", "nine"].map((label) => sample[`${unit} ${label}`]);
          sample[`${unit} five deep`] = nine - five + one;
          delete sample[`${unit} nine`];
        }
        bench.leave(place.root);
        return sample;
      }),
  },
  ...hostScenarios,
  ...storeScenarios,
};
