/** Runs every script in test/scripts, two at a time. test/scripts/README.md says how to write one. */

import { test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { meets } from "./support/needs.ts";
import { parseScript } from "./support/script/parse.ts";
import { runScript } from "./support/script/run.ts";

const directory = join(import.meta.dir, "scripts");
const atOnce = 2;
const options = {
  keep: process.env.CSP_TEST_KEEP === "1",
  ...(process.env.CSP_TEST_TRACE === "1" ? { trace: (text: string) => console.error(text) } : {}),
};
/** Includes the time in the queue; what a single command may take is limited by the script runner. */
const timeout = 15 * 60_000;

const turn = queue(atOnce);
for (const file of readdirSync(directory).sort()) {
  if (!file.endsWith(".txt")) continue;
  const script = parseScript(file, readFileSync(join(directory, file), "utf8"));
  const unmet = script.needs.filter(({ need }) => !meets(need));
  const name = file.slice(0, -4);
  if (unmet.length > 0) test.skip(`${name} (${unmet.map(({ reason }) => reason).join("; ")})`, () => {});
  else test.concurrent(name, () => turn(() => runScript(script, options)), timeout);
}

function queue(places: number): (work: () => Promise<void>) => Promise<void> {
  const waiting: (() => void)[] = [];
  let free = places;
  return async (work) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((go) => waiting.push(go));
    try {
      await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
}
