/** What an operator does on a host that has everything: going back, collecting, verifying. */
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { type Bench, install } from "./bench.ts";
import { type Driver, environment, type Place, writeProject } from "./drivers/driver.ts";
import { measure } from "./measure.ts";
import { type Contestant, race } from "./race.ts";
import type { Scenario } from "./scenarios.ts";
import { base } from "./set.ts";
import type { Command } from "./shot.ts";

function driverOf(bench: Bench, product: Driver["product"]): Driver | undefined {
  return bench.drivers.find((driver) => driver.product === product);
}

/** A command of csp; the scenarios of this page are about nothing else, so csp has to be among the peers. */
function csp(bench: Bench): { driver: Driver; command: NonNullable<Driver["command"]> } {
  const driver = driverOf(bench, "csp");
  if (driver?.command === undefined) throw new Error("these scenarios need csp among the peers");
  return { driver, command: driver.command };
}

/** Where csp keeps everything of a place. */
function dataOf(place: Place): string {
  return join(place.store, "script-packages");
}

function currentTree(place: Place): string {
  return basename(readlinkSync(join(dataOf(place), "current")));
}

/** Collecting everything that can go, at once. */
const allAtOnce = ["--keep", "0", "--tree-grace", "0s", "--blob-grace", "0s"] as const;

/** A place with the base installed and retired: its current tree has one package. */
async function retiredBase(bench: Bench): Promise<Place> {
  const { driver, command } = csp(bench);
  const place = bench.place(driver);
  await install(bench, driver, place, base);
  const [name, version] = Object.entries(bench.set.roots).find(([root]) => root === bench.set.leaf.name) ?? [];
  writeProject(place, { "script-packages.yaml": `packages:\n  "${name}": "${version}"\n` });
  measure(command(place, "install"));
  return place;
}

/** What `csp gc` would remove of such a place, as paths. */
function retiredPaths(place: Place): string[] {
  const data = dataOf(place);
  const tree = currentTree(place);
  const { instances } = JSON.parse(readFileSync(join(data, "trees", tree, "tree.json"), "utf8")) as {
    instances: string[];
  };
  const digests = new Set(
    instances.map((id) => {
      const said = JSON.parse(readFileSync(join(data, "packages/v1", id, "instance.json"), "utf8"));
      return (said as { digest: string }).digest;
    }),
  );
  const below = (folder: string): string[] => readdirSync(join(data, folder)).map((name) => join(data, folder, name));
  const blobs = readdirSync(join(data, "cache/v1")).flatMap((folder) => below(`cache/v1/${folder}`));
  return [
    ...below("trees").filter((path) => basename(path) !== tree),
    ...below("packages/v1").filter((path) => !instances.includes(basename(path))),
    ...blobs.filter((path) => !digests.has(basename(path))),
  ];
}

/** ostree with files in repositories of their own; undefined where that program is not installed. */
function ostree(bench: Bench): { repo(source: string): (...args: string[]) => Command } | undefined {
  const program = Bun.which("ostree");
  if (program === null) return undefined;
  let repos = 0;
  return {
    /** Makes a repository with one commit, `bench`, that holds everything below `source`. */
    repo(source) {
      const repo = join(bench.work, `ostree-${++repos}`);
      const run = (...args: string[]): Command => ({
        argv: [program, `--repo=${repo}`, ...args],
        cwd: bench.work,
        env: { PATH: process.env.PATH ?? "", HOME: bench.work },
      });
      measure(run("init", "--mode=bare-user-only"));
      measure(run("commit", "--branch=bench", "--canonical-permissions", `--tree=dir=${source}`));
      return run;
    },
  };
}

/** What ostree does when nothing refers to a commit any more. */
function ostreePrune(bench: Bench): Contestant[] {
  const host = ostree(bench);
  if (host === undefined) return [];
  const { driver } = csp(bench);
  const place = bench.place(driver);
  return [
    {
      name: "ostree prune",
      prepare: () => install(bench, driver, place, base),
      async ready() {
        const run = host.repo(join(dataOf(place), "packages"));
        measure(run("refs", "--delete", "bench"));
        return run("prune", "--refs-only");
      },
    },
  ];
}

function ostreeFsck(bench: Bench, source: string): Contestant[] {
  const host = ostree(bench);
  if (host === undefined) return [];
  let run: ((...args: string[]) => Command) | undefined;
  return [
    {
      name: "ostree fsck",
      async ready() {
        run ??= host.repo(source);
        return run("fsck", "--quiet");
      },
    },
  ];
}

/** `pnpm store status` in a place of its own with the base in its store. */
function pnpmStatus(bench: Bench): Contestant[] {
  const driver = driverOf(bench, "pnpm");
  const command = driver?.command;
  if (driver === undefined || command === undefined) return [];
  const place = bench.place(driver);
  return [
    {
      name: "pnpm store status",
      prepare: () => install(bench, driver, place, base),
      ready: async () => command(place, "store", "status"),
    },
  ];
}

export const hostScenarios: Readonly<Record<string, Scenario>> = {
  rollback: {
    title: "Rollback and use",
    group: "host",
    about:
      "`csp rollback` to the tree before, and `csp use` to the later one again, forth and back. An empty program shows what the runtime's own start takes.",
    async run(bench) {
      const { driver, command } = csp(bench);
      const place = bench.place(driver);
      const empty = join(bench.work, "empty.ts");
      writeFileSync(empty, "");
      let later = "";
      return race(bench, bench.rounds * 5, [
        { name: "bun empty.ts", ready: async () => ({ argv: [process.execPath, empty], cwd: "/", env: {} }) },
        {
          name: "csp rollback",
          async prepare() {
            await install(bench, driver, place, base);
            await install(bench, driver, place, { kind: "leaf", n: 0 });
            later = currentTree(place);
          },
          ready: async () => command(place, "rollback"),
        },
        { name: "csp use", ready: async () => command(place, "use", later) },
      ]);
    },
  },
  gcDryRun: {
    title: "What could be collected of 100 trees",
    group: "host",
    about:
      "`csp gc --dry-run` with 100 retired trees of all packages, each with one more than the one before, of which it would take all but one.",
    async run(bench) {
      const { driver, command } = csp(bench);
      const place = bench.place(driver);
      const { name } = bench.set.leaf;
      return race(bench, bench.rounds * 2, [
        {
          name: "csp gc --dry-run",
          async prepare() {
            await install(bench, driver, place, base);
            for (let n = 1; n <= 100; n++) {
              measure(command(place, "add", `again-${n}@npm:${name}@${bench.set.roots[name]}`));
            }
          },
          ready: async () => command(place, "gc", "--dry-run", "--keep", "1", "--tree-grace", "0s"),
        },
      ]);
    },
  },
  gc: {
    title: "Collect",
    group: "host",
    about:
      "A retired tree, all its packages and their blobs are removed: by `csp gc`, and by `rm -rf` on another host with the same content. `ostree prune` removes the same package files from its repository, after nothing refers to their commit any more. (`pnpm store prune` is not here: with a global virtual store it removes next to nothing.)",
    async run(bench) {
      const { command } = csp(bench);
      return race(bench, Math.min(bench.rounds, 3), [
        { name: "csp gc", ready: async () => command(await retiredBase(bench), "gc", ...allAtOnce) },
        {
          name: "rm -rf",
          async ready() {
            const place = await retiredBase(bench);
            const list = join(place.root, "list");
            writeFileSync(list, retiredPaths(place).join("\0"));
            return { argv: ["xargs", "-0", "-a", list, "rm", "-rf"], cwd: "/", env: environment(place) };
          },
        },
        ...ostreePrune(bench),
      ]);
    },
  },
  verify: {
    title: "Verify",
    group: "host",
    about:
      "`csp verify` of the base, beside a program that only reads and hashes the same files, blobs and packages, with sha512 on all cores. `pnpm store status` looks at what it has unpacked of the same packages; `ostree fsck` hashes a repository with the same package files, with sha256 on one core.",
    async run(bench) {
      const { driver, command } = csp(bench);
      const place = bench.place(driver);
      const data = dataOf(place);
      const loop = join(import.meta.dir, "hash-loop.ts");
      return race(bench, bench.rounds * 2, [
        {
          name: "csp verify",
          prepare: () => install(bench, driver, place, base),
          ready: async () => command(place, "verify"),
        },
        {
          name: "read and sha512",
          ready: async () => ({
            argv: [process.execPath, loop, join(data, "cache"), join(data, "packages")],
            cwd: "/",
            env: {},
          }),
        },
        ...pnpmStatus(bench),
        ...ostreeFsck(bench, join(data, "packages")),
      ]);
    },
  },
};
