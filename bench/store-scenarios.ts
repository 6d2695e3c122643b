/** What a fleet does with a store: publishing, syncing hosts, moving; beside what people do without one. */
import { appendFileSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type Bench, install } from "./bench.ts";
import { type Driver, environment, type Place, writeProject } from "./drivers/driver.ts";
import { measure } from "./measure.ts";
import { type Contestant, race } from "./race.ts";
import type { Scenario } from "./scenarios.ts";
import { base } from "./set.ts";
import type { Command, Shot } from "./shot.ts";
import { type MeasuredStore, type MeasuredStores, startStores } from "./store-servers.ts";

/** How many versions of one root are published, so that each round has one that no host has. */
const releases = 6;

/** A published fleet: every store has the base on channel `base` and one changed root on each of `leaf-0` and so on. */
interface Fleet {
  driver: Driver;
  /** A place with the base installed, from which everything is published. */
  team: Place;
  stores: MeasuredStores;
  csp(place: Place, store: Pick<MeasuredStore, "address" | "env">, ...args: string[]): Command;
  /** A machine without a project. */
  host(): Place;
  /** A directory with the same blobs under plain names, for other uploaders. */
  blobs(): string;
}

const fleets = new WeakMap<Bench, Promise<Fleet>>();

function fleetOf(bench: Bench): Promise<Fleet> {
  const made = fleets.get(bench) ?? makeFleet(bench);
  fleets.set(bench, made);
  return made;
}

async function makeFleet(bench: Bench): Promise<Fleet> {
  const driver = bench.drivers.find((each) => each.product === "csp");
  const command = driver?.command;
  if (driver === undefined || command === undefined) throw new Error("these scenarios need csp among the peers");
  const team = bench.place(driver);
  await install(bench, driver, team, base);
  forThisPlatform(team);
  const stores = await startStores(bench.work, (address) =>
    command(team, "serve", "--store", address, "--listen", "127.0.0.1:0"),
  );
  process.on("exit", () => void stores.stop());
  const csp: Fleet["csp"] = (place, { address, env }, ...args) => {
    const plain = command(place, ...args);
    return { ...plain, env: { ...plain.env, ...env, CSP_STORE: address } };
  };
  // `csp serve` reads the directory, so it is not published to.
  const written = stores.all.filter(({ name }) => name !== "csp serve");
  for (const store of written) measure(csp(team, store, "publish", "--channel", "base"));
  for (let n = 0; n < releases; n++) {
    const changed = bench.place(driver);
    writeProject(changed, await bench.files(driver, { kind: "leaf", n }));
    forThisPlatform(changed);
    for (const store of written)
      measure(csp({ ...team, project: changed.project }, store, "publish", "--channel", `leaf-${n}`));
  }
  const cache = join(team.store, "script-packages", "cache", "v1");
  return {
    driver,
    team,
    stores,
    csp,
    host: () => bench.place(driver),
    blobs() {
      const plain = join(bench.work, "plain-blobs");
      mkdirSync(plain, { recursive: true });
      for (const folder of readdirSync(cache)) Bun.spawnSync(["cp", "-rlT", join(cache, folder), join(plain, folder)]);
      return plain;
    },
  };
}

/** The mirror has the packages of this platform alone, so these alone are published. */
function forThisPlatform({ project }: Place): void {
  appendFileSync(join(project, "script-packages.yaml"), `platforms: [${process.platform}-${process.arch}]\n`);
}

/** One sync of a host, on every store. */
function syncs(
  fleet: Fleet,
  ready: (store: MeasuredStore, round: number) => Promise<[Place, ...string[]]>,
): Contestant[] {
  return fleet.stores.all.map((store) => ({
    name: `csp sync, ${store.name}`,
    async ready(round) {
      const [place, ...args] = await ready(store, round);
      return fleet.csp(place, store, "sync", "--json", ...args);
    },
    after: fetchedBytes,
  }));
}

function fetchedBytes({ said }: Shot): Record<string, number> {
  const bytes = /"fetchedBytes":(\d+)/.exec(said)?.[1];
  if (bytes === undefined) throw new Error(`a sync that does not say what it fetched: ${said}`);
  return { "kB fetched": Number(bytes) / 1000 };
}

/** What is done without a package manager for fleets: one archive of `node_modules`, unpacked on each host. */
async function archive(bench: Bench, fleet: Fleet): Promise<Contestant[]> {
  const bun = bench.drivers.find((each) => each.name === "bun hoisted");
  const { s3 } = fleet.stores;
  if (bun === undefined || s3 === undefined) return [];
  const place = bench.place(bun);
  await install(bench, bun, place, base);
  const file = join(bench.work, "node_modules.tar.gz");
  measure({ argv: ["tar", "czf", file, "-C", place.project, "node_modules"], cwd: "/", env: environment(place) });
  const client = new Bun.S3Client({
    endpoint: s3.endpoint,
    bucket: s3.bucket,
    accessKeyId: s3.env.AWS_ACCESS_KEY_ID ?? "",
    secretAccessKey: s3.env.AWS_SECRET_ACCESS_KEY ?? "",
  });
  await client.write("node_modules.tar.gz", Bun.file(file));
  const url = client.presign("node_modules.tar.gz", { expiresIn: 6 * 3600 });
  return [
    {
      name: "one archive of node_modules, S3 (Ceph)",
      async ready() {
        const host = fleet.host();
        const script = 'curl -sS --fail "$1" | tar xz -C "$2"';
        return { argv: ["sh", "-c", script, "sh", url, host.project], cwd: "/", env: environment(host) };
      },
      after: () => ({ "kB fetched": Bun.file(file).size / 1000 }),
    },
  ];
}

/** A cold installation by the fastest peer, from the registry. */
function fromRegistry(bench: Bench): Contestant[] {
  return bench.drivers
    .filter(({ product }) => product === "bun")
    .map((driver) => ({
      name: driver.name,
      prepare: () => bench.files(driver, base),
      async ready() {
        const place = bench.place(driver);
        writeProject(place, await bench.files(driver, base));
        return driver.install(place, "frozen");
      },
    }));
}

/** rclone with the same number of transfers, to the same bucket; nothing where it or the bucket is missing. */
function rclone(bench: Bench, fleet: Fleet): Contestant[] {
  const program = Bun.which("rclone");
  const { s3 } = fleet.stores;
  if (program === null || s3 === undefined) return [];
  const remote = [
    `:s3,provider=Ceph,endpoint='${s3.endpoint}'`,
    `access_key_id=${s3.env.AWS_ACCESS_KEY_ID}`,
    `secret_access_key=${s3.env.AWS_SECRET_ACCESS_KEY}:${s3.bucket}`,
  ].join(",");
  return [
    {
      name: "rclone copy",
      ready: async (round) => ({
        argv: [
          program,
          "copy",
          fleet.blobs(),
          `${remote}/rclone-${bench.date}-${round}-${Math.random()}`,
          "--transfers",
          "16",
          "--checkers",
          "16",
          "--s3-no-check-bucket",
        ],
        cwd: "/",
        env: { PATH: process.env.PATH ?? "", HOME: bench.work },
      }),
    },
  ];
}

/** A place in the bucket that nothing was published to. */
function emptyPlace({ stores: { s3 } }: Fleet): MeasuredStore {
  if (s3 === undefined) throw new Error("no S3 is installed here");
  const [address = "", query] = s3.address.split("?");
  return {
    ...s3,
    address: `${address}-${Math.random().toString(16).slice(2)}${query === undefined ? "" : `?${query}`}`,
  };
}

/** Publishes a store of its own and moves it: a store can be moved once. */
async function movable(bench: Bench, fleet: Fleet): Promise<MeasuredStore> {
  const store = { ...fleet.stores.directory, address: `file:${join(bench.work, `movable-${Math.random()}`)}` };
  measure(fleet.csp(fleet.team, store, "publish", "--channel", "base"));
  return store;
}

export const storeScenarios: Readonly<Record<string, Scenario>> = {
  syncCold: {
    title: "A new host",
    group: "store",
    about:
      "An empty machine gets everything: `csp sync` from each kind of store, a frozen `bun install` from the registry, and one archive of `node_modules` from the same bucket. All servers are on loopback.",
    async run(bench) {
      const fleet = await fleetOf(bench);
      const hosts = syncs(fleet, async () => [fleet.host(), "--channel", "base"]);
      const contestants = [...hosts, ...fromRegistry(bench), ...(await archive(bench, fleet))];
      return race(bench, bench.rounds, contestants, { synced: true, peak: true });
    },
  },
  syncDelta: {
    title: "One package changed, a host that has the rest",
    group: "store",
    about:
      "A release that differs in one root is synced by a host that has the one before: what travels is that blob and the release. The archive travels as a whole.",
    async run(bench) {
      const fleet = await fleetOf(bench);
      const places = new Map<string, Place>();
      const contestants = syncs(fleet, async (store, round) => {
        const place = places.get(store.name) ?? fleet.host();
        if (!places.has(store.name)) measure(fleet.csp(place, store, "sync", "--channel", "base"));
        places.set(store.name, place);
        return [place, "--channel", `leaf-${round}`];
      });
      return race(bench, Math.min(bench.rounds, releases), [
        ...starting(bench),
        ...contestants,
        ...(await archive(bench, fleet)),
      ]);
    },
  },
  syncNoop: {
    title: "A host that is in step",
    group: "store",
    about: "`csp sync` again: one small request and a look at the tree.",
    async run(bench) {
      const fleet = await fleetOf(bench);
      const places = new Map<string, Place>();
      const contestants = syncs(fleet, async (store) => {
        const place = places.get(store.name) ?? fleet.host();
        if (!places.has(store.name)) measure(fleet.csp(place, store, "sync", "--channel", "base"));
        places.set(store.name, place);
        return [place, "--channel", "base"];
      });
      return race(bench, bench.rounds * 5, contestants);
    },
  },
  publish: {
    title: "Publish",
    group: "store",
    about:
      "Everything is uploaded to an empty place in the bucket, from the cache of a machine that has it: by `csp publish`, and by `rclone copy` of the same blobs with as many transfers, which makes no release of them.",
    async run(bench) {
      const fleet = await fleetOf(bench);
      const csp: Contestant = {
        name: "csp publish",
        ready: async () => fleet.csp(fleet.team, emptyPlace(fleet), "publish", "--channel", "base"),
      };
      return race(bench, bench.rounds, [csp, ...rclone(bench, fleet)], { peak: true });
    },
  },
  migrate: {
    title: "Migrate",
    group: "store",
    about:
      "A store in a directory moves to an empty place in the bucket: `csp migrate` reads every copy back and hashes it; `rclone copy` of the same blobs only writes.",
    async run(bench) {
      const fleet = await fleetOf(bench);
      const csp: Contestant = {
        name: "csp migrate",
        async ready() {
          const target = emptyPlace(fleet);
          const source = await movable(bench, fleet);
          const command = fleet.csp(fleet.host(), source, "migrate", target.address);
          return { ...command, env: { ...command.env, ...target.env } };
        },
      };
      return race(bench, bench.rounds, [csp, ...rclone(bench, fleet)], { peak: true });
    },
  },
};

function starting(bench: Bench): Contestant[] {
  const csp = bench.drivers.find((each) => each.product === "csp");
  return csp === undefined ? [] : [{ name: "csp --version", ready: async () => csp.startUp }];
}
