/**
 * Runs, switches, installs and collections of one host at once, by several processes, some of which are killed at any
 * moment. What must hold is judged by the scripts that run: each says whether all that it read was of one tree.
 */
import { join } from "node:path";
import { createRandom, type Random } from "../support/random.ts";
import { createJudge, type Verdict } from "./crowd-judge.ts";
import { startServer } from "./crowd-server.ts";
import { createCommands, createDriver, type Worker } from "./crowd-workers.ts";
import type { Operation } from "./driver.ts";
import type { Build, World } from "./world.ts";

export interface CrowdOptions {
  seed: number;
  /** How many runs are started. */
  runs: number;
  /** Ends as soon as so many scripts have seen something bad. */
  enough?: number;
  /** Scripts go to their packages through this link instead of importing them by name. */
  through?: string;
}

export interface CrowdResult extends Verdict {
  /** Operations that ended by themselves, by kind. */
  finished: Readonly<Record<string, number>>;
  /** Processes that were ended with SIGKILL, by what they did. */
  killed: Readonly<Record<string, number>>;
  /** Trees that collections took. */
  collected: number;
  switched: number;
}

const roles: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  "installer-1": { install: 1 },
  "installer-2": { install: 1 },
  switcher: { use: 3, rollback: 1 },
  collector: { gc: 1 },
};
const commandMix = { run: 3, install: 1, use: 1, rollback: 1, gc: 2 };
const runners = 2;
const runsAtOnce = 4;

/** Lets the crowd loose on a host on which set 0 is installed; `hashes` are the trees' names by set. */
export async function runCrowd(
  world: World,
  build: Build,
  host: string,
  hashes: readonly string[],
  options: CrowdOptions,
): Promise<CrowdResult> {
  const random = createRandom(options.seed);
  const judge = createJudge(random);
  const counts = { finished: new Map<string, number>(), killed: new Map<string, number>(), collected: 0, switched: 0 };
  const socket = join(world.directory, `crowd-${options.seed}-${Math.floor(performance.now())}`);
  const drivers = new Map<string, ReturnType<typeof createDriver>>();
  const server = startServer(socket, {
    ...judge.events,
    driver: (name, send) => drivers.get(name)?.connected(send),
    answer: (name, json) => drivers.get(name)?.answered(JSON.parse(json)),
  });
  const place = {
    socket,
    dataRoot: join(host, "script-packages"),
    project: world.projects[0] ?? "",
    script: world.script,
  };
  let runs = 0;
  let over = false;
  const pace = createPace(random);
  const enough = (): boolean => judge.bad.length >= (options.enough ?? Number.POSITIVE_INFINITY);

  const startDriver = (name: string): Worker => {
    const driver = createDriver(world, build, { ...place, name });
    drivers.set(name, driver);
    return driver;
  };
  const lanes = Object.entries(roles).map(([name, mix]) => lane(startDriver(name), () => over, mix));
  const commands = createCommands(world, build, host, place);
  const running = Array.from({ length: runners }, (_, i) => {
    const driver = startDriver(`runner-${i}`);
    return Array.from({ length: runsAtOnce }, () => lane(driver, noMoreRuns, { run: 1 }));
  });
  const single = lane(commands, noMoreRuns, commandMix);
  await Promise.all([...running.flat(), single]);
  over = true;
  judge.releaseAll();
  pace.collected();
  await Promise.all(lanes);
  await judge.allGone();
  await Promise.all([...drivers.values()].map((driver) => driver.end()));
  server.stop();
  const verdict = judge.verdict();
  const { collected, switched } = counts;
  return { ...verdict, finished: sorted(counts.finished), killed: sorted(counts.killed), collected, switched };

  function noMoreRuns(): boolean {
    return runs >= options.runs || enough();
  }

  async function lane(worker: Worker, ended: () => boolean, mix: Readonly<Record<string, number>>): Promise<void> {
    while (!ended()) {
      const operation = choose(random.weighted(mix));
      if (operation.kind !== "gc" && operation.kind !== "run") await pace.turn(ended);
      const run = operation.kind === "run" ? Number(operation.args[1]) : undefined;
      if (run !== undefined) judge.started(run);
      const work = worker.perform(operation);
      // A run lasts, the others are over in some milliseconds.
      const [chance, within] = operation.kind === "run" ? [0.03, 40] : [0.1, 10];
      if (random.chance(chance)) setTimeout(() => worker.kill(operation), random.below(within));
      const end = await work;
      if (operation.kind === "gc") pace.collected();
      if (end === "killed") {
        count(counts.killed, operation.kind);
        if (run !== undefined) judge.orphaned(run);
        continue;
      }
      count(counts.finished, operation.kind);
      if (run !== undefined) judge.ended(run, end.code === undefined ? undefined : end.text);
      else if (end.code !== undefined && !isExpected(operation.kind, end.code, end.text)) {
        judge.problem(`${operation.kind}: ${end.code} ${end.text}`);
      }
      if (operation.kind === "gc") counts.collected += end.effect;
      else counts.switched += end.effect;
      if (end.effect > 0) judge.moved();
    }
  }

  function choose(kind: string): Operation {
    switch (kind) {
      case "run": {
        runs += 1;
        const child = random.chance(0.15) ? "child" : "alone";
        const through = options.through === undefined ? [] : [options.through];
        return { kind, args: [socket, String(runs), child, ...through] };
      }
      case "install":
        return { kind, project: random.pick(world.projects) };
      case "use":
        return { kind, hash: random.pick(hashes) };
      case "gc":
        return { kind, keep: random.below(2) };
      default:
        return { kind: "rollback" };
    }
  }
}

/**
 * Kernel locks know no queue: a stream of switches and installations without a gap would keep a collector out for as long
 * as it likes. So a few of them take place, and then the next one waits for a collection to end.
 */
function createPace(random: Random) {
  let left = 5;
  const open: (() => void)[] = [];
  return {
    async turn(ended: () => boolean): Promise<void> {
      while (left <= 0 && !ended()) await new Promise<void>((resolve) => open.push(resolve));
      left -= 1;
    },
    collected(): void {
      left = 1 + random.below(8);
      for (const resume of open.splice(0)) resume();
    },
  };
}

/** What a busy host may answer: the tree that was wanted has just been collected. */
function isExpected(kind: string, code: string, text: string): boolean {
  if (kind === "use") return code === "CSP_TREE_UNKNOWN";
  if (kind !== "rollback") return false;
  return code === "CSP_NO_EARLIER_TREE" || (code === "CSP_TREE_INCOMPLETE" && text.includes("is not on this host"));
}

function count(counts: Map<string, number>, kind: string): void {
  counts.set(kind, (counts.get(kind) ?? 0) + 1);
}

function sorted(counts: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...counts].sort());
}
