/**
 * The most used packages, installed by csp with both linkers and by a plain hoisted `bun install`, and used on both
 * runtimes: what works there works here, with the same exports. Needs a registry, which is the one of the machine's npm
 * configuration, and some minutes: `CSP_TEST_NETWORK=1 bun test test/network`. `CSP_TEST_UPDATE=1` writes the results
 * into docs/compatibility.md.
 */
import { expect } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { testNeeding } from "../support/needs.ts";
import { makeTemp, removeTree } from "../support/temp.ts";
import { type Installation, installAll } from "./installs.ts";
import { type RealPackage, type RuntimeName, realPackages, runtimes, type Way, ways } from "./list.ts";
import { exceptionsTable, type Found, pagePath, resultsTable, withSection, wordOf } from "./page.ts";
import { type Outcomes, probe } from "./probe.ts";

const page = join(import.meta.dir, "../..", pagePath);

interface Job {
  each: RealPackage;
  runtime: RuntimeName;
  way: Way;
}

/** Asks two processes at a time. */
async function probeAll(installed: Record<Way, Installation>): Promise<Map<string, Found>> {
  const found = new Map<string, Found>();
  const jobs: Job[] = realPackages.flatMap((each) =>
    runtimes.flatMap((runtime) => ways.map((way) => ({ each, runtime, way }))),
  );
  const worker = async (): Promise<void> => {
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
      const outcomes = await probe(installed[job.way], job.runtime, job.each);
      const known = found.get(job.each.name) ?? ({ bun: {}, node: {} } as Found);
      known[job.runtime][job.way] = outcomes;
      found.set(job.each.name, known);
    }
  };
  await Promise.all([worker(), worker()]);
  return found;
}

/** Where a use of the package gives something else than with the plain installation. */
function differences(name: string, runtime: RuntimeName, way: Way, here: Outcomes, there: Outcomes): string[] {
  return Object.keys(there).flatMap((how) => {
    const [mine, theirs] = [here[how], there[how]];
    if (mine === undefined || theirs === undefined) return [`${name}: ${how} was not tried`];
    const same =
      wordOf(mine) === wordOf(theirs) && (!("came" in mine) || ("came" in theirs && mine.came === theirs.came));
    const told = "message" in mine ? `: ${mine.message}` : "";
    return same ? [] : [`${name}, ${runtime} ${way}, ${how}: ${wordOf(mine)} instead of ${wordOf(theirs)}${told}`];
  });
}

testNeeding(
  ["network", "node"],
  "what a plain installation imports, csp imports",
  async () => {
    const temp = makeTemp();
    try {
      const found = await probeAll(await installAll(temp));
      const different = new Map<string, string[]>();
      for (const [name, outcomes] of found) {
        const lines = runtimes.flatMap((runtime) =>
          (["isolated", "hoisted"] as const).flatMap((way) =>
            differences(name, runtime, way, outcomes[runtime][way], outcomes[runtime].plain),
          ),
        );
        if (lines.length > 0) different.set(name, lines);
      }
      if (process.env.CSP_TEST_UPDATE) {
        const next = withSection(readFileSync(page, "utf8"), "Results", resultsTable(found));
        writeFileSync(page, withSection(next, "Exceptions", exceptionsTable()));
      }
      const excepted = new Set(realPackages.filter((each) => each.differs !== undefined).map((each) => each.name));
      expect([...different].filter(([name]) => !excepted.has(name)).flatMap(([, lines]) => lines)).toEqual([]);
      expect([...excepted].filter((name) => !different.has(name))).toEqual([]);
      const working = [...found.values()].filter(({ bun }) => bun.plain.import && wordOf(bun.plain.import) === "yes");
      expect(working.length).toBeGreaterThan(80);
    } finally {
      removeTree(temp);
    }
  },
  600_000,
);
