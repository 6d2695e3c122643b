/**
 * Ten processes on one host: a script must never read a file of another tree, or miss one. The same crowd with csp's
 * lease taken away, and with scripts that follow `current`, must show that this test would see it.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { chooseSeed } from "../support/random.ts";
import { type CrowdOptions, type CrowdResult, runCrowd } from "./crowd.ts";
import { type Build, createWorld, csp, type World } from "./world.ts";

const long = process.env.CSP_TEST_LONG === "1";
const seed = chooseSeed();
const limit = long ? 15 * 60_000 : 120_000;

let world: World;
let build: Build;
/** Of the sets, in their order. */
const hashes: string[] = [];

beforeAll(async () => {
  world = await createWorld();
  build = await world.build();
  const host = world.newHost();
  for (const project of world.projects) {
    await csp(world, build, ["lock", "-C", project]);
    await csp(world, build, ["install", "-C", project, "--data-dir", host]);
    hashes.push(currentOf(host));
  }
}, limit);

afterAll(() => world?.stop());

async function crowd(
  what: Build,
  { followCurrent, ...options }: Omit<CrowdOptions, "seed" | "through"> & { followCurrent?: boolean },
): Promise<{ result: CrowdResult; host: string }> {
  const host = world.newHost();
  await csp(world, build, ["install", "-C", world.projects[0] ?? "", "--data-dir", host]);
  const started = performance.now();
  const result = await runCrowd(world, what, host, hashes, {
    seed,
    ...options,
    ...(followCurrent ? { through: join(host, "script-packages/current") } : {}),
  });
  const { bad, problems, ...numbers } = result;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`CSP_TEST_SEED=${seed}: ${JSON.stringify({ ...numbers, bad: bad.length, seconds })}`);
  return { result, host };
}

function currentOf(host: string): string {
  return basename(readlinkSync(join(host, "script-packages/current")));
}

test(
  "every script reads one tree to its end, whatever is switched, collected and killed meanwhile",
  async () => {
    const { result, host } = await crowd(build, { runs: long ? 4000 : 200 });
    expect(result.bad).toEqual([]);
    expect(result.problems).toEqual([]);
    // The crowd did what it is for.
    expect(result.whole).toBeGreaterThan((long ? 4000 : 200) * 0.8);
    expect(result.wholeAlone).toBeGreaterThan(0);
    expect(result.collected).toBeGreaterThan(10);
    expect(result.switched).toBeGreaterThan(20);
    await expectClean(host);
  },
  limit,
);

test(
  "without the lease the same crowd sees trees vanish",
  async () => {
    const without = await world.build([
      {
        file: "src/ops/lease.ts",
        from: "if (!existsSync(path)) return undefined;",
        to: "if (path) return undefined;",
      },
    ]);
    const { result } = await crowd(without, { runs: 2000, enough: 3 });
    expect(result.bad.length).toBeGreaterThanOrEqual(3);
  },
  limit,
);

test(
  "with scripts that follow `current` the same crowd sees files of two trees",
  async () => {
    const { result } = await crowd(build, { runs: 2000, enough: 3, followCurrent: true });
    expect(result.bad.filter((each) => each.includes("files of more than one tree")).length).toBeGreaterThan(0);
  },
  limit,
);

/** What is left after a crowd: one collection takes all but the current tree, and nothing is damaged. */
async function expectClean(host: string): Promise<void> {
  const where = ["--data-dir", host];
  const project = world.projects[0] ?? "";
  await csp(world, build, ["install", "-C", project, ...where]);
  await csp(world, build, ["gc", "--keep", "0", "--tree-grace", "0s", "--blob-grace", "0s", "-C", project, ...where]);
  await csp(world, build, ["verify", "--deep", "-C", project, ...where]);
  const root = join(host, "script-packages");
  expect(readdirSync(join(root, "trees"))).toEqual([currentOf(host)]);
  expect(readdirSync(join(root, "packages/v1"))).toHaveLength(9);
  for (const place of ["tmp", ".runs"]) expect(readdirSync(join(root, place))).toEqual([]);
  const journal = readFileSync(join(root, "journal.jsonl"), "utf8").trim().split("\n");
  expect(journal.map((line) => JSON.parse(line).seq)).toEqual(journal.map((_, i) => i + 1));
}
