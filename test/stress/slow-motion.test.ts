/**
 * Two commands on one host, one of them slowed down or stopped at each of its renames in turn: the result is that of
 * some order of the two, nothing is lost, and starting a script waits for nobody.
 */
import { afterAll, beforeAll, expect } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pictureOf, wrongAtTheEnd } from "../support/host-check.ts";
import { testNeeding } from "../support/needs.ts";
import type { Child } from "../support/script/child.ts";
import { createSlowHost, long, type SlowHost, seed, someOf, zero } from "./slow-host.ts";
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

/** Longer than the other command takes to come to its locks. */
const delay = 400;

const limit = long ? 10 * 60_000 : 120_000;
let host: SlowHost;

beforeAll(async () => {
  host = await createSlowHost();
}, limit);

afterAll(() => host?.stop());

/** What both commands lead to one after the other, for both orders. */
async function bothOrders(prepare: () => void, first: Start, second: Start) {
  const pictures = [];
  for (const order of [
    [first, second],
    [second, first],
  ]) {
    host.reset();
    prepare();
    for (const each of order) await host.succeed(each);
    pictures.push(pictureOf(host.here));
  }
  return pictures;
}

/** Runs the two with the first one slowed down at each rename; the results must be those of an order. */
async function race(prepare: () => void, slow: Start, other: Start, count: number): Promise<void> {
  const pictures = await bothOrders(prepare, slow, other);
  host.reset();
  prepare();
  const calls = await callsOf(slow, renames);
  expect(calls.length).toBeGreaterThan(4);
  for (const call of someOf(calls, count)) {
    host.reset();
    prepare();
    const children = [startDelayed(slow, call, delay), start(other)];
    const ends = await Promise.all(children.map(({ end }) => end));
    const place = `${call.name} ${call.ordinal} to ${call.words[1]} with CSP_TEST_SEED=${seed}`;
    for (const { status, stderr } of ends) {
      const busy = status === 75 && /CSP_(?:LOCK_TIMEOUT|CHANGED_MEANWHILE)/.test(stderr);
      if (status !== 0 && !busy) throw new Error(`at ${place} one ended with ${status}: ${stderr}`);
    }
    // Whoever was told that the other was in the way tries again.
    for (const [i, each] of [slow, other].entries()) if (ends[i]?.status === 75) await host.succeed(each);
    const wrong = pictures.map((picture) => wrongAtTheEnd(host.here, picture));
    if (!wrong.some((list) => list.length === 0)) throw new Error(`at ${place}:\n${wrong[0]?.join("\n")}`);
    await host.succeed(host.command(["verify", "--deep"]));
  }
}

const title = (text: string) => `${text}, at ${long ? "each" : "some"} of its renames`;

testNeeding(
  ["strace"],
  title("two installations of different lockfiles end as one after the other, with one slowed down"),
  () =>
    race(
      () => host.takeSet(1),
      host.command(["install", "--frozen-lockfile"]),
      host.command(["install", "--frozen-lockfile"], host.projects[5]),
      2,
    ),
  limit,
);

testNeeding(
  ["strace"],
  title("two additions to one project end as one after the other, with one slowed down"),
  () => race(() => host.takeSet(0), host.command(["add", "deep@1.0.0"]), host.command(["add", "extra@1.0.0"]), 2),
  limit,
);

testNeeding(
  ["strace"],
  title("a collector waits for an installation that is stopped, and says for whom"),
  async () => {
    const install = host.command(["install", "--frozen-lockfile"]);
    const collect = ["gc", ...zero];
    const prepare = () => {
      host.reset();
      host.takeSet(1);
    };
    prepare();
    await host.succeed(install);
    await host.succeed(host.command(collect));
    const after = pictureOf(host.here);
    prepare();
    const calls = (await callsOf(install, renames)).filter(({ words: [, to = ""] }) => !to.includes("/stamps/"));
    expect(calls.filter(({ words: [, to = ""] }) => to.includes("/cache/")).length).toBeGreaterThan(3);
    for (const call of someOf(calls, 3)) {
      prepare();
      const stopped = await startStopped(install, call);
      let waiting: Child | undefined;
      try {
        const refused = await start(host.command([...collect, "--lock-timeout", "100ms"])).end;
        expect(refused.status).toBe(75);
        expect(refused.stderr).toMatch(new RegExp(`CSP_LOCK_TIMEOUT[^]*process ${stopped.pid}\\b`));
        waiting = start(host.command(collect));
        await waiting.shows("stderr", new RegExp(`waiting for .*process ${stopped.pid}\\b`));
        expect(stopped.stands()).toBe(true);
      } finally {
        stopped.goOn();
      }
      expect((await stopped.child.end).status).toBe(0);
      expect((await waiting.end).status).toBe(0);
      expect(wrongAtTheEnd(host.here, after)).toEqual([]);
      await host.succeed(host.command(["verify", "--deep"]));
    }
  },
  limit,
);

testNeeding(
  ["strace"],
  title("a script starts at once while an installation or a collection is stopped"),
  async () => {
    const prepare = () => {
      host.reset();
      host.takeSet(1);
    };
    for (const slow of [host.command(["install", "--frozen-lockfile"]), host.command(["gc", ...zero])]) {
      const collects = slow.argv.includes("gc");
      const ready = async () => {
        prepare();
        // Two trees to collect, and a script that then runs on the third.
        if (collects) for (const set of [1, 2]) await host.succeed(host.command(["install"], host.projects[set]));
      };
      await ready();
      const calls = await callsOf(slow, renames);
      expect(calls.some(({ words: [, to = ""] }) => to.includes(collects ? "/tmp/" : "/trees/"))).toBe(true);
      for (const call of someOf(calls, 3)) {
        await ready();
        const stopped = await startStopped(slow, call);
        try {
          const out = await host.succeed(host.command(["run", "ask.ts", "--lock-timeout", "100ms"]));
          expect(out).toMatch(collects ? /^set 2$/m : /^set [01]$/m);
          expect(stopped.stands()).toBe(true);
        } finally {
          stopped.goOn();
        }
        expect((await stopped.child.end).status).toBe(0);
        await host.succeed(host.command(["verify", "--deep"]));
      }
    }
    expect(readdirSync(join(host.here, ".data/script-packages/tmp"))).toEqual([]);
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
    host.reset();
    const run = host.command(["run", "ask.ts"]);
    const stopped = await startStopped(run, await beforeLease(run));
    try {
      await host.succeed(host.command(["install"], host.projects[1]));
      expect(await host.succeed(host.command(["gc", ...zero]))).toMatch(/^removed 1 tree /m);
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
    host.reset();
    const gate = join(host.here, "gate");
    spawnSync("mkfifo", [gate]);
    const text = `console.log("up"); await Bun.file("gate").text(); console.log((await import("three")).sets[0]);\n`;
    writeFileSync(join(host.here, "late.ts"), text);
    const stoppedRun = await startStopped(
      host.command(["run", "late.ts"]),
      await beforeLease(host.command(["run", "ask.ts"])),
    );
    await host.succeed(host.command(["install"], host.projects[1]));
    const collect = host.command(["gc", "--keep", "0", "--tree-grace", "0s"]);
    // Its notes are written between the plan and the first tree.
    const stoppedGc = await startStopped(collect, { name: "rename", ordinal: 1, words: [] });
    try {
      expect(existsSync(join(host.here, ".data/script-packages/gc.json"))).toBe(true);
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
    expect(await host.succeed(collect)).toMatch(/^removed 1 tree /m);
  },
  limit,
);
