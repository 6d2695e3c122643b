/**
 * Runs the tests and says in one last line how they went: `N passed, M failed` or `N passed, M failed, K skipped`.
 * Arguments pick test files by a part of their path. Ends with 1 where a test failed or none ran.
 */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { readJunit, summarise } from "./support/junit.ts";
import { makeTemp } from "./support/temp.ts";

/**
 * Milliseconds after which the run is ended: a test that loops is seen by no limit of its own. Sweeps and crowds take
 * their time where they are asked for all they can do.
 */
const limit = (process.env.CSP_TEST_LONG === "1" ? 60 : 20) * 60_000;
const root = join(import.meta.dir, "..");
const filters = process.argv.slice(2);
const all = [...new Bun.Glob("test/**/*.test.ts").scanSync({ cwd: root })].sort();
const files = all.filter((file) => filters.length === 0 || filters.some((part) => file.includes(part)));

process.exitCode = await main();

async function main(): Promise<number> {
  if (files.length === 0) {
    console.log(`no test file has ${filters.join(" or ")} in its path\n0 passed, 0 failed`);
    return 1;
  }
  const temp = makeTemp();
  try {
    const report = join(temp, "junit.xml");
    // A loaded machine is slow, not wrong.
    const flags = ["--timeout=60000", "--reporter=junit", `--reporter-outfile=${report}`];
    const child = Bun.spawn([process.execPath, "test", ...flags, ...files.map((file) => `./${file}`)], {
      cwd: root,
      stdio: ["ignore", "inherit", "inherit"],
      timeout: limit,
      killSignal: "SIGKILL",
    });
    const status = await child.exited;
    if (child.signalCode) console.log(`the test runner was ended by ${child.signalCode}`);
    let xml = "";
    try {
      xml = readFileSync(report, "utf8");
    } catch {
      // No report: every file counts as failed below.
    }
    const { lines, failed } = summarise(readJunit(xml), files, status);
    console.log(`\n${lines.join("\n")}`);
    return failed ? 1 : 0;
  } finally {
    rmSync(temp, { recursive: true, force: true });
  }
}
