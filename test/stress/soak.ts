/** Random commands on one host, one after the other or two at once, some of them killed, with a look at the host after each. */
import { lstatSync, readlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { meets } from "../support/needs.ts";
import type { Random } from "../support/random.ts";
import { type Child, type Outcome, startChild } from "../support/script/child.ts";
import { spoil } from "./damage.ts";
import { createHostModel } from "./host-model.ts";
import { setCount, setPackages } from "./sets.ts";
import { createSleepers } from "./sleepers.ts";
import type { Build, World } from "./world.ts";

export interface SoakResult {
  steps: number;
  /** Commands that ended by themselves, by their first word, and those that were killed or interrupted. */
  commands: Readonly<Record<string, number>>;
  killed: number;
  interrupted: number;
  damaged: number;
  woken: number;
}

interface Deed {
  words: readonly string[];
  /** Exit statuses that are fine where nothing ends it. */
  exits: readonly number[];
  mutates: boolean;
  /** Done where it succeeded. */
  succeeded?: () => void;
}

const most = 3;
const limit = 60_000;
const temporary = 75;
const hasStrace = meets("strace");

/** Goes on until the time is over. Throws with the history of commands where something does not hold. */
export async function soak(
  world: World,
  build: Build,
  own: string,
  random: Random,
  until: number,
): Promise<SoakResult> {
  const host = world.newHost();
  const root = join(host, "script-packages");
  const model = createHostModel(root, setPackages());
  const sleepers = createSleepers(world, build);
  const pins = new Set<string>();
  /** The trees of sets, which the script of sleepers can run on. */
  const setTrees = new Set<string>();
  const history: string[] = [];
  const commands = new Map<string, number>();
  const counts = { steps: 0, killed: 0, interrupted: 0, damaged: 0, woken: 0 };
  let tidy = true;

  const choices = {
    install: 4,
    own: 3,
    gc: 4,
    use: 3,
    rollback: 2,
    run: 2,
    pin: 2,
    unpin: 2,
    look: 3,
    verify: 1,
    resume: 1,
    sleep: 2,
    orphan: 1,
    wake: 2,
    damage: 2,
  };
  try {
    await perform([installSet(0)], false);
    while (performance.now() < until) {
      await step(random.weighted(choices));
      look();
      // Often enough right after a kill, before an installation sweeps up what that left.
      if (!tidy && random.chance(0.3)) {
        await perform([collect([])], false);
        look();
      }
    }
    while (sleepers.count > 0) await wake();
    await perform([collect(["--keep", "0", "--tree-grace", "0s", "--blob-grace", "0s"])], false);
    await perform([{ words: ["verify", "--deep"], exits: [0], mutates: false }], false);
    look();
    return { ...counts, commands: Object.fromEntries([...commands].sort()) };
  } catch (error) {
    const last = history.slice(-60).join("\n  ");
    throw new Error(`${error instanceof Error ? error.message : error}\nafter these commands:\n  ${last}`);
  } finally {
    sleepers.stop();
  }

  async function step(kind: keyof typeof choices): Promise<void> {
    counts.steps += 1;
    if (kind === "sleep") await sleep();
    else if (kind === "wake") await wake();
    else if (kind === "orphan") {
      if (sleepers.count > 0) sleepers.orphan(random.below(sleepers.count));
      history.push("killed the csp of a script");
    } else if (kind === "damage") await damage();
    else {
      const first = deed(kind);
      const second = random.chance(0.2) ? deed(random.pick(["install", "own", "gc", "use", "look", "run"])) : undefined;
      await perform(second === undefined ? [first] : [first, second], random.chance(kind === "gc" ? 0.6 : 0.4));
    }
  }

  function look(): void {
    const wrong = model.check({ pins, leased: sleepers.leased(), tidy });
    if (wrong.length > 0) throw new Error(`the host is not as it must be:\n${wrong.slice(0, 20).join("\n")}`);
  }

  function deed(
    kind: "install" | "own" | "gc" | "use" | "rollback" | "run" | "pin" | "unpin" | "look" | "verify" | "resume",
  ): Deed {
    const hash = (): string =>
      random.chance(0.9) && model.trees().length > 0 ? random.pick(model.trees()) : "0123abcd";
    switch (kind) {
      case "install":
        return installSet(random.below(setCount));
      case "own":
        return ownProject();
      case "gc":
        return collect(gcWords());
      case "use":
        return { words: ["use", hash().slice(0, 12)], exits: [0, 2], mutates: true };
      case "rollback":
        return { words: ["rollback", "-n", String(1 + random.below(2))], exits: [0, 6], mutates: true };
      case "run":
        return { words: ["run", "-e", `console.log("${random.below(1000)}")`], exits: [0], mutates: false };
      case "pin": {
        const pinned = hash();
        return { words: ["pin", pinned], exits: [0, 2], mutates: true, succeeded: () => void pins.add(pinned) };
      }
      case "unpin": {
        const pinned = pins.size > 0 ? random.pick([...pins]) : hash();
        return { words: ["unpin", pinned], exits: [0, 2], mutates: true, succeeded: () => void pins.delete(pinned) };
      }
      case "look": {
        const words = random.pick([
          ["status"],
          ["history"],
          ["root"],
          ["list"],
          ["gc", "--dry-run"],
          ["status", "--json"],
        ]);
        return { words, exits: [0], mutates: false };
      }
      case "verify":
        return { words: ["verify", ...(random.chance(0.5) ? ["--deep"] : [])], exits: [0], mutates: false };
      case "resume":
        return { words: ["resume"], exits: [0], mutates: true };
    }
  }

  function installSet(set: number): Deed {
    const words = ["install", "--frozen-lockfile", "-C", world.projects[set] ?? ""];
    return { words, exits: [0], mutates: true, succeeded: () => void setTrees.add(currentHash()) };
  }

  /** A project whose allowlist changes. */
  function ownProject(): Deed {
    const name = random.pick(["one", "two", "five", "six", "extra", "steady", "pair"]);
    const versions: Record<string, string> = {
      extra: "1.0.0",
      steady: "3.0.0",
      pair: `2.0.${random.below(setCount / 2)}`,
    };
    const version = versions[name] ?? `1.0.${random.below(setCount)}`;
    const place = ["-C", own];
    const kind = random.weighted({ add: 4, remove: 2, install: 2, lock: 1 });
    const word = kind === "add" ? [`${name}@${version}`] : kind === "remove" ? [name] : [];
    return { words: [kind, ...word, ...place], exits: [0, 2], mutates: true };
  }

  function gcWords(): string[] {
    const words = ["--keep", String(random.below(3))];
    if (random.chance(0.8)) words.push("--tree-grace", "0s");
    if (random.chance(0.6)) words.push("--blob-grace", "0s");
    if (random.chance(0.2)) words.push("--max-size", `${random.below(20)}KB`);
    if (random.chance(0.15)) words.push(random.pick(["--trees", "--blobs"]));
    return words;
  }

  function collect(words: readonly string[]): Deed {
    const whole = !words.includes("--trees") && !words.includes("--blobs");
    const succeeded = (): void => {
      tidy ||= whole;
    };
    return { words: ["gc", ...words], exits: [0], mutates: true, succeeded };
  }

  /** Runs them at once; with `disturbed`, one of them is killed or interrupted at a random moment. */
  async function perform(deeds: readonly Deed[], disturbed: boolean): Promise<Outcome[]> {
    const victim = disturbed ? random.below(deeds.length) : -1;
    const signal = random.pick(["SIGKILL", "SIGKILL", "SIGTERM", "SIGINT"] as const);
    const exact = deeds[victim]?.mutates === true && hasStrace && random.chance(0.7);
    const children = deeds.map((each, i) => start(each, exact && i === victim ? signalling(signal, each) : []));
    if (victim >= 0 && !exact) setTimeout(() => children[victim]?.signal(signal), random.below(120));
    const ends = await Promise.all(children.map(({ end }) => end));
    const alone = deeds.length === 1;
    for (const [i, { words, exits, succeeded, mutates }] of deeds.entries()) {
      const { status, signal: by, stdout, stderr } = ends[i] as Outcome;
      history.push(`${alone ? "" : "at once: "}csp ${words.join(" ")} → ${by ?? status}`);
      if (i === victim && (by !== undefined || status >= 128)) {
        if (by === "SIGKILL") counts.killed += 1;
        else counts.interrupted += 1;
        if (by === "SIGKILL") tidy = false;
        // What it came to is not known.
        if (mutates && words[0] === "pin") pins.delete(words[1] ?? "");
        if (mutates && words[0] === "unpin") pins.delete(words[1] ?? "");
        continue;
      }
      commands.set(words[0] ?? "", (commands.get(words[0] ?? "") ?? 0) + 1);
      const met = !alone && status === temporary && /CSP_CHANGED_MEANWHILE/.test(stderr);
      if (!exits.includes(status) && !met)
        throw new Error(`csp ${words.join(" ")} ended with ${by ?? status}:\n${stdout.slice(0, 4000)}${stderr}`);
      if (status === 0 && alone) succeeded?.();
      else if (status === 0 && words[0] === "pin") succeeded?.();
      else if (words[0] === "unpin") pins.delete(words[1] ?? "");
    }
    return ends;
  }

  /** In front of a command: sends it the signal at one of its calls that change names, where it makes so many. */
  function signalling(signal: string, { words }: Deed): string[] {
    // A collector moves things away, one by one; how much there is of the rest depends.
    const moves = words[0] === "gc" ? 20 : 5;
    const call = random.weighted({ rename: 2, renameat2: moves, unlink: 2, rmdir: 1, mkdir: 1, symlink: 1, fsync: 1 });
    const inject = `inject=${call}:signal=${signal}:when=${1 + random.below(8)}`;
    return ["strace", "-qq", "-o", "/dev/null", "-e", `trace=${call}`, "-e", inject];
  }

  function start({ words }: Deed, before: readonly string[]): Child {
    const [command = "", ...rest] = words;
    const argv = [...before, build.csp, command, "--data-dir", host, ...rest];
    const cwd = world.projects[0] ?? "/";
    return startChild({ argv, cwd, env: world.env, stdin: undefined, tty: false, limit });
  }

  async function sleep(): Promise<void> {
    const hash = currentHash();
    if (sleepers.count >= most || !setTrees.has(hash)) return;
    await sleepers.start(host, hash);
    history.push(`started a script on ${hash.slice(0, 12)}`);
  }

  async function wake(): Promise<void> {
    if (sleepers.count === 0) return;
    const { wrong, orphan } = await sleepers.wake(random.below(sleepers.count));
    if (orphan) tidy = false;
    history.push("let a script go on");
    counts.woken += 1;
    if (wrong !== undefined) throw new Error(`a script in the background failed: ${wrong}`);
  }

  /** Something is spoiled; verify must find it, and a repair must heal it. */
  async function damage(): Promise<void> {
    const what = spoil(root, random);
    if (what === undefined) return;
    history.push(what);
    counts.damaged += 1;
    // Without its blob a package cannot be compared; a blob that nothing needs is not missed.
    const exits = what.startsWith("removed cache/") ? [0, 4, 75] : [4];
    await perform([{ words: ["verify", "--deep"], exits, mutates: false }], false);
    // A repair that is killed has left it as it was, or whole.
    const repair: Deed = { words: ["verify", "--deep", "--repair"], exits: [0, 4], mutates: true };
    if (random.chance(0.3)) await perform([repair], true);
    const [end] = await perform([repair], false);
    if (end?.status === 4) {
      // What no package of this host refers to has no source, and is the collector's.
      if (!/no package on this host says what it is/.test(end.stdout)) throw new Error(`not repaired:\n${end.stdout}`);
      await perform([collect(["--blobs", "--blob-grace", "0s"])], false);
    }
    await perform([{ words: ["verify", "--deep"], exits: [0], mutates: false }], false);
  }

  function currentHash(): string {
    const path = join(root, "current");
    return lstatSync(path, { throwIfNoEntry: false }) === undefined ? "" : basename(readlinkSync(path));
  }
}
