/** Scripts that run in the background of a soak, and must still find their tree when they are told to go on. */
import { join } from "node:path";
import { type ScriptEnd, startServer } from "./crowd-server.ts";
import type { Build, World } from "./world.ts";

interface Sleeper {
  hash: string;
  end: ScriptEnd;
  verdict: Promise<string | undefined>;
  process: { kill(signal: "SIGKILL"): void; exited: Promise<number> };
  orphan: boolean;
}

export interface Sleepers {
  readonly count: number;
  /** Trees that scripts run on. */
  leased(): Set<string>;
  /** Starts one on the tree that is current, and waits until it has imported what it imports at once. */
  start(host: string, hash: string): Promise<void>;
  /** Ends the csp of one with SIGKILL; the script goes on. */
  orphan(index: number): void;
  /** Lets one go on to its end. Gives what was wrong, and whether nobody is left to clean up behind it. */
  wake(index: number): Promise<{ wrong: string | undefined; orphan: boolean }>;
  stop(): void;
}

export function createSleepers(world: World, build: Build): Sleepers {
  const socket = join(world.directory, `sleepers-${Math.floor(performance.now())}`);
  const asleep: Sleeper[] = [];
  const arriving = new Map<number, (end: ScriptEnd) => void>();
  const failing = new Map<number, (why: string) => void>();
  const leaving = new Map<number, (why: string | undefined) => void>();
  let ids = 0;
  const server = startServer(socket, {
    up: (end) => arriving.get(end.id)?.(end),
    done: (id) => leaving.get(id)?.(undefined),
    bad(id, why) {
      failing.get(id)?.(why);
      leaving.get(id)?.(why);
    },
    gone: (id) => leaving.get(id)?.("ended without a word"),
    driver: () => {},
    answer: () => {},
  });
  return {
    get count() {
      return asleep.length;
    },
    leased: () => new Set(asleep.map(({ hash }) => hash)),
    async start(host, hash) {
      const id = ++ids;
      const verdict = new Promise<string | undefined>((done) => leaving.set(id, done));
      const argv = [build.csp, "run", "--data-dir", host, world.script, socket, String(id), "child"];
      const stdio = ["ignore", "ignore", "inherit"] as ["ignore", "ignore", "inherit"];
      const child = Bun.spawn(argv, { cwd: world.projects[0] ?? "/", env: world.env, stdio });
      const end = await new Promise<ScriptEnd>((done, fail) => {
        arriving.set(id, done);
        failing.set(id, (why) => fail(new Error(why)));
        void child.exited.then((status) => fail(new Error(`csp run ended with ${status} before its script was up`)));
      });
      asleep.push({ hash, end, verdict, process: child, orphan: false });
    },
    orphan(index) {
      const sleeper = asleep[index];
      if (sleeper === undefined) return;
      sleeper.orphan = true;
      sleeper.process.kill("SIGKILL");
    },
    async wake(index) {
      const [sleeper] = asleep.splice(index, 1);
      if (sleeper === undefined) return { wrong: undefined, orphan: false };
      sleeper.end.go();
      const wrong = await sleeper.verdict;
      await sleeper.process.exited;
      await gone(sleeper.end.pid);
      return { wrong, orphan: sleeper.orphan };
    },
    stop() {
      for (const { end } of asleep) process.kill(end.pid, "SIGKILL");
      server.stop();
    },
  };
}

/** A script's lease ends with its process, a moment after its last word. */
async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}
