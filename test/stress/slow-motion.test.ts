/**
 * Two commands on one host, one of them slowed down or stopped at each of its renames in turn: the result is that of
 * some order of the two, nothing is lost, and starting a script waits for nobody.
 */
import { afterAll, beforeAll, expect } from "bun:test";
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pictureOf, wrongAtTheEnd } from "../support/host-check.ts";
import { copyFolder } from "../support/loop-disk.ts";
import { testNeeding } from "../support/needs.ts";
import { chooseSeed, createRandom } from "../support/random.ts";
import type { Child } from "../support/script/child.ts";
import {
  type Call,
  callsOf,
  readLinks,
  renames,
  type Start,
  start,
  startDelayed,
  startStopped,
} from "./slow-motion.ts";
import { type Build, createWorld, csp, type World } from "./world.ts";

const long = process.env.CSP_TEST_LONG === "1";
const seed = chooseSeed();
const limit = long ? 10 * 60_000 : 120_000;
/** Longer than the other command takes to come to its locks. */
const delay = 400;
const zero = ["--keep", "0", "--tree-grace", "0s", "--blob-grace", "0s"];

let world: World;
let build: Build;
/** A project and host of set 0, and the folder that each attempt starts with a fresh copy of. */
let base: string;
let here: string;

beforeAll(async () => {
  world = await createWorld();
  build = await world.build();
  for (const project of world.projects) await csp(world, build, ["lock", "-C", project]);
  base = world.newHost();
  here = world.newHost();
  mkdirSync(base);
  takeSet(base, 0);
  await csp(world, build, ["install", "-C", base]);
  writeFileSync(join(base, "ask.ts"), `import { sets } from "one";\nconsole.log("set", sets[0]);\n`);
}, limit);

afterAll(() => world?.stop());

/** The command on the host at hand, or on another project with the same data directory. */
function command(args: readonly string[], project = here): Start {
  const argv = [build.csp, ...args, "--data-dir", join(here, ".data")];
  return { argv, cwd: project, env: world.env };
}

function reset(): void {
  rmSync(here, { recursive: true, force: true });
  copyFolder(base, here);
}

/** Puts the files of a set into a project, as a checkout of another revision would. */
function takeSet(project: string, set: number): void {
  for (const file of ["script-packages.yaml", "script-packages.lock"])
    copyFileSync(join(world.projects[set] ?? "", file), join(project, file));
}

/** Some of them, by the seed, or all in a long run. */
function someOf(calls: readonly Call[], count: number): Call[] {
  const random = createRandom(seed);
  const left = [...calls];
  if (long) return left;
  return Array.from({ length: Math.min(count, left.length) }, () => left.splice(random.below(left.length), 1)).flat();
}

async function succeed(what: Start): Promise<string> {
  const { status, stdout, stderr } = await start(what).end;
  if (status !== 0) throw new Error(`${what.argv.join(" ")} ended with ${status}: ${stderr}`);
  return stdout;
}

/** What both commands lead to one after the other, for both orders. */
async function bothOrders(prepare: () => void, first: Start, second: Start) {
  const pictures = [];
  for (const order of [
    [first, second],
    [second, first],
  ]) {
    reset();
    prepare();
    for (const each of order) await succeed(each);
    pictures.push(pictureOf(here));
  }
  return pictures;
}

/** Runs the two with the first one slowed down at each rename; the results must be those of an order. */
async function race(prepare: () => void, slow: Start, other: Start, count: number): Promise<void> {
  const pictures = await bothOrders(prepare, slow, other);
  reset();
  prepare();
  const calls = await callsOf(slow, renames);
  expect(calls.length).toBeGreaterThan(4);
  for (const call of someOf(calls, count)) {
    reset();
    prepare();
    const children = [startDelayed(slow, call, delay), start(other)];
    const ends = await Promise.all(children.map(({ end }) => end));
    const place = `${call.name} ${call.ordinal} to ${call.words[1]} with CSP_TEST_SEED=${seed}`;
    for (const { status, stderr } of ends) {
      const busy = status === 75 && /CSP_(?:LOCK_TIMEOUT|CHANGED_MEANWHILE)/.test(stderr);
      if (status !== 0 && !busy) throw new Error(`at ${place} one ended with ${status}: ${stderr}`);
    }
    // Whoever was told that the other was in the way tries again.
    for (const [i, each] of [slow, other].entries()) if (ends[i]?.status === 75) await succeed(each);
    const wrong = pictures.map((picture) => wrongAtTheEnd(here, picture));
    if (!wrong.some((list) => list.length === 0)) throw new Error(`at ${place}:\n${wrong[0]?.join("\n")}`);
    await succeed(command(["verify", "--deep"]));
  }
}

const title = (text: string) => `${text}, at ${long ? "each" : "some"} of its renames`;

testNeeding(
  ["strace"],
  title("two installations of different lockfiles end as one after the other, with one slowed down"),
  () =>
    race(
      () => takeSet(here, 1),
      command(["install", "--frozen-lockfile"]),
      command(["install", "--frozen-lockfile"], world.projects[5]),
      2,
    ),
  limit,
);

testNeeding(
  ["strace"],
  title("two additions to one project end as one after the other, with one slowed down"),
  () => race(() => takeSet(here, 0), command(["add", "deep@1.0.0"]), command(["add", "extra@1.0.0"]), 2),
  limit,
);

testNeeding(
  ["strace"],
  title("a collector waits for an installation that is stopped, and says for whom"),
  async () => {
    const install = command(["install", "--frozen-lockfile"]);
    const collect = ["gc", ...zero];
    const prepare = () => {
      reset();
      takeSet(here, 1);
    };
    prepare();
    await succeed(install);
    await succeed(command(collect));
    const after = pictureOf(here);
    prepare();
    const calls = (await callsOf(install, renames)).filter(({ words: [, to = ""] }) => !to.includes("/stamps/"));
    expect(calls.filter(({ words: [, to = ""] }) => to.includes("/cache/")).length).toBeGreaterThan(3);
    for (const call of someOf(calls, 3)) {
      prepare();
      const stopped = await startStopped(install, call);
      let waiting: Child | undefined;
      try {
        const refused = await start(command([...collect, "--lock-timeout", "100ms"])).end;
        expect(refused.status).toBe(75);
        expect(refused.stderr).toMatch(new RegExp(`CSP_LOCK_TIMEOUT[^]*process ${stopped.pid}\\b`));
        waiting = start(command(collect));
        await waiting.shows("stderr", new RegExp(`waiting for .*process ${stopped.pid}\\b`));
        expect(stopped.stands()).toBe(true);
      } finally {
        stopped.goOn();
      }
      expect((await stopped.child.end).status).toBe(0);
      expect((await waiting.end).status).toBe(0);
      expect(wrongAtTheEnd(here, after)).toEqual([]);
      await succeed(command(["verify", "--deep"]));
    }
  },
  limit,
);

testNeeding(
  ["strace"],
  title("a script starts at once while an installation or a collection is stopped"),
  async () => {
    const prepare = () => {
      reset();
      takeSet(here, 1);
    };
    for (const slow of [command(["install", "--frozen-lockfile"]), command(["gc", ...zero])]) {
      const collects = slow.argv.includes("gc");
      const ready = async () => {
        prepare();
        // Two trees to collect, and a script that then runs on the third.
        if (collects) for (const set of [1, 2]) await succeed(command(["install"], world.projects[set]));
      };
      await ready();
      const calls = await callsOf(slow, renames);
      expect(calls.some(({ words: [, to = ""] }) => to.includes(collects ? "/tmp/" : "/trees/"))).toBe(true);
      for (const call of someOf(calls, 3)) {
        await ready();
        const stopped = await startStopped(slow, call);
        try {
          const out = await succeed(command(["run", "ask.ts", "--lock-timeout", "100ms"]));
          expect(out).toMatch(collects ? /^set 2$/m : /^set [01]$/m);
          expect(stopped.stands()).toBe(true);
        } finally {
          stopped.goOn();
        }
        expect((await stopped.child.end).status).toBe(0);
        await succeed(command(["verify", "--deep"]));
      }
    }
    expect(readdirSync(join(here, ".data/script-packages/tmp"))).toEqual([]);
  },
  limit,
);

/** Where a run has read which tree is current, and has no lease on it yet. */
async function beforeLease(run: Start): Promise<Call> {
  const calls = await callsOf(run, readLinks);
  const found = calls.find(({ words: [path = ""] }) => path.endsWith("/script-packages/current"));
  if (found === undefined) throw new Error("the run never read current");
  return found;
}

testNeeding(
  ["strace"],
  "a script whose tree is collected before its lease is taken starts on the next one",
  async () => {
    reset();
    const run = command(["run", "ask.ts"]);
    const stopped = await startStopped(run, await beforeLease(run));
    try {
      await succeed(command(["install"], world.projects[1]));
      expect(await succeed(command(["gc", ...zero]))).toMatch(/^removed 1 tree /m);
    } finally {
      stopped.goOn();
    }
    const { status, stdout } = await stopped.child.end;
    expect([status, stdout]).toEqual([0, "set 1\n"]);
  },
  limit,
);

testNeeding(
  ["strace"],
  "a tree stays whose lease is taken after a collector has planned to take it",
  async () => {
    reset();
    const gate = join(here, "gate");
    spawnSync("mkfifo", [gate]);
    const text = `console.log("up"); await Bun.file("gate").text(); console.log((await import("three")).sets[0]);\n`;
    writeFileSync(join(here, "late.ts"), text);
    const stoppedRun = await startStopped(command(["run", "late.ts"]), await beforeLease(command(["run", "ask.ts"])));
    await succeed(command(["install"], world.projects[1]));
    const collect = command(["gc", "--keep", "0", "--tree-grace", "0s"]);
    // Its notes are written between the plan and the first tree.
    const stoppedGc = await startStopped(collect, { name: "rename", ordinal: 1, words: [] });
    try {
      expect(existsSync(join(here, ".data/script-packages/gc.json"))).toBe(true);
      stoppedRun.goOn();
      await stoppedRun.child.shows("stdout", /^up$/m);
    } finally {
      stoppedGc.goOn();
    }
    expect(await stoppedGc.child.end).toMatchObject({
      status: 0,
      stdout: expect.not.stringMatching(/removed \d+ tree/),
    });
    writeFileSync(gate, "go");
    const { status, stdout } = await stoppedRun.child.end;
    expect([status, stdout]).toEqual([0, "up\n0\n"]);
    expect(await succeed(collect)).toMatch(/^removed 1 tree /m);
  },
  limit,
);
