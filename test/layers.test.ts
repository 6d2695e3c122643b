/** The sources keep the picture in docs/design: imports point down, core is pure, only cli talks to the terminal. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  entry,
  homeOffences,
  importsOf,
  layerOffences,
  layers,
  purityOffences,
  type Sources,
  startUpOffences,
  terminalOffences,
} from "./support/source-rules.ts";

/** Files that run in the script's process, not in csp's: the environment there is the script's. */
const processesOfTheirOwn: readonly string[] = [
  "src/run/bun-sources.ts",
  "src/run/hook-bun.ts",
  "src/run/hook-node.ts",
];

const root = join(import.meta.dir, "..");
const paths = [...new Bun.Glob("src/**/*.{ts,js,mjs,cjs}").scanSync({ cwd: root })].sort();
const sources: Sources = new Map(paths.map((path) => [path, readFileSync(join(root, path), "utf8")]));

function expectNone(offences: readonly string[]): void {
  if (offences.length > 0) throw new Error(`\n${offences.join("\n")}`);
}

test("imports point down, and the folders of one row do not import each other", () => {
  expectNone(layerOffences(sources));
});

test("each library has one home", () => {
  expectNone(homeOffences(sources));
});

test("no library is loaded by the start of every command", () => {
  expect(sources.has(entry)).toBe(true);
  expectNone(startUpOffences(sources));
});

test("core is pure", () => {
  expectNone(purityOffences(sources));
});

test("only cli reads argv, environment and working directory, prints or exits", () => {
  expectNone(terminalOffences(sources, processesOfTheirOwn));
  expect(processesOfTheirOwn.filter((path) => !sources.has(path))).toEqual([]);
});

test("all folders of the picture that exist hold files that import", () => {
  const count = (folder: string) => paths.filter((path) => path.startsWith(`src/${folder}/`)).length;
  expect(layers.flat().filter((folder) => count(folder) > 0)).toContain("core");
  expect([...sources.values()].flatMap(importsOf).length).toBeGreaterThan(paths.length / 2);
});
