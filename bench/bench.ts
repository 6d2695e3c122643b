/** What all scenarios share: places, lockfiles made once, and rounds in which the peers take turns. */
import { readFileSync, realpathSync, rmSync, statSync } from "node:fs";
import { loadavg } from "node:os";
import { dirname, join } from "node:path";
import { type Driver, makePlace, type Place, type ProjectFiles, writeProject } from "./drivers/driver.ts";
import { fileSystem, flush, measure, timedSync } from "./measure.ts";
import type { Mirror } from "./mirror.ts";
import { baseView } from "./packument.ts";
import type { ScenarioResult } from "./results.ts";
import { otherVersion, type PackageSet, rootsOf, type Variant, variantName } from "./set.ts";
import type { Shot } from "./shot.ts";

export interface Bench {
  set: PackageSet;
  drivers: readonly Driver[];
  rounds: number;
  work: string;
  date: string;
  /** A new, empty place on the mirror, or on the registry of the machine's npm configuration. */
  place(driver: Driver, registry?: "real"): Place;
  /** Deletes a directory where that is cheap; elsewhere it stays until the end. */
  leave(dir: string): void;
  /** A variant's project files for a driver. */
  files(driver: Driver, variant: Variant): Promise<ProjectFiles>;
  /**
   * A place with the base installed and every other version in its store, but built nowhere; made once for each driver
   * and use. The scenarios of one use run in their order and each builds versions that no other needs unbuilt.
   */
  warmPlace(driver: Driver, use?: "beside" | "in place"): Promise<Place>;
}

export function makeBench(
  given: Pick<Bench, "set" | "drivers" | "rounds" | "work" | "date"> & { mirror: Mirror },
): Bench {
  const { set, work, mirror } = given;
  const locks = new Map<string, Promise<ProjectFiles>>();
  const warm = new Map<string, Promise<Place>>();
  let places = 0;
  const cheapDelete = fileSystem(work) === "tmpfs";

  const bench: Bench = {
    ...given,
    place(driver, registry) {
      places += 1;
      const root = join(work, `${places}-${driver.name.replaceAll(" ", "-")}`);
      return makePlace(root, registry === "real" ? realRegistry() : mirror.origin);
    },
    leave(dir) {
      if (cheapDelete) rmSync(dir, { recursive: true });
    },
    files(driver, variant) {
      // The layouts of one product share its lockfile.
      const key = `${driver.product} ${variantName(variant)}`;
      const made = locks.get(key) ?? lock(driver, variant);
      locks.set(key, made);
      return made;
    },
    warmPlace(driver, use = "beside") {
      const key = `${driver.name} ${use}`;
      const made = warm.get(key) ?? prepare(driver);
      warm.set(key, made);
      return made;
    },
  };

  async function lock(driver: Driver, variant: Variant): Promise<ProjectFiles> {
    await mirror.show({ all: false, deep: variant.kind === "deep" ? otherVersion(set, variant) : undefined });
    const place = makePlace(join(work, `lock-${driver.product}-${variantName(variant)}`), mirror.origin);
    const files = driver.lock(place, set, variant);
    await mirror.show(baseView);
    return files;
  }

  async function prepare(driver: Driver): Promise<Place> {
    const place = bench.place(driver);
    await mirror.show({ ...baseView, all: true });
    driver.warm(place, set);
    await mirror.show(baseView);
    await install(bench, driver, place, { kind: "base" });
    return place;
  }

  return bench;
}

/** A run of a command, and its time with a sync of the file system behind it. */
export type Taken = Shot & { syncedMs: number };

/** The registry of the machine's npm configuration; one that wants credentials is not supported here. */
function realRegistry(): string {
  return Bun.spawnSync(["npm", "config", "get", "registry"]).stdout.toString().trim().replace(/\/+$/, "");
}

/** Puts a variant's files into the place and installs them, measured; then looks whether they are really there. */
export async function install(bench: Bench, driver: Driver, place: Place, variant: Variant): Promise<Taken> {
  writeProject(place, await bench.files(driver, variant));
  return installProject(bench, driver, place, variant);
}

/** Installs what the project's files say, measured, and checks it against the variant. */
export function installProject(
  bench: Bench,
  driver: Driver,
  place: Place,
  variant: Variant,
  mode: "frozen" | "plain" = "frozen",
): Taken {
  flush();
  const shot = measure(driver.install(place, mode));
  const syncedMs = shot.ms + timedSync(place.root);
  check(bench.set, driver, place, variant);
  return { ...shot, syncedMs };
}

/** Throws where a root or the varied package is not what the variant says. */
function check(set: PackageSet, driver: Driver, place: Place, variant: Variant): void {
  const modules = driver.modules(place);
  for (const [name, version] of Object.entries(rootsOf(set, variant))) expect(join(modules, name), version);
  if (variant.kind === "deep") {
    let dir = modules;
    for (const name of set.deep.via) dir = findPackage(dir, name);
    expect(findPackage(dir, set.deep.name), otherVersion(set, variant));
  }
}

function expect(dir: string, version: string): void {
  const found = JSON.parse(readFileSync(join(dir, "package.json"), "utf8")) as { version: string };
  if (found.version !== version) throw new Error(`${dir} is ${found.version} instead of ${version}`);
}

/** The real directory of a package as Node finds it from `from`. */
function findPackage(from: string, name: string): string {
  for (let dir = from; ; dir = dirname(dir)) {
    const candidate = dir.endsWith("/node_modules") ? join(dir, name) : join(dir, "node_modules", name);
    if (statSync(candidate, { throwIfNoEntry: false })) return realpathSync(candidate);
    if (dir === dirname(dir)) throw new Error(`${name} is not installed where ${from} could import it`);
  }
}

/** One peer's turn in one round: measures and returns one sample of each metric. */
export type Turn<Peer = Driver> = (peer: Peer, round: number) => Promise<Record<string, number>>;

/**
 * Runs `rounds` rounds in each of which every driver, or whatever else has a name, has its turn: A B C, A B C. One whose
 * turn or preparation throws is out for the rest, with the reason.
 */
export async function takeTurns<Peer extends { name: string } = Driver>(
  bench: Pick<Bench, "date" | "work"> & { drivers: readonly Peer[] },
  rounds: number,
  prepare: (peer: Peer) => Promise<unknown>,
  turn: Turn<Peer>,
): Promise<ScenarioResult> {
  const result: ScenarioResult = {
    rounds,
    date: bench.date,
    fileSystem: fileSystem(bench.work),
    load: Math.round((loadavg()[0] ?? 0) * 10) / 10,
    peers: {},
    failed: {},
  };
  const attempt = async (driver: Peer, step: () => Promise<Record<string, number>>) => {
    if (result.failed[driver.name] !== undefined) return;
    try {
      const samples = result.peers[driver.name] ?? {};
      for (const [metric, value] of Object.entries(await step())) {
        samples[metric] = [...(samples[metric] ?? []), rounded(value)];
      }
      result.peers[driver.name] = samples;
    } catch (error) {
      delete result.peers[driver.name];
      const message = String(error instanceof Error ? error.message : error);
      // The first lines say why, and no path of this machine belongs into a file that is kept.
      result.failed[driver.name] = message.replaceAll(bench.work, "WORK").split("\n").slice(0, 3).join("\n");
      console.error(`${driver.name}: ${message}`);
    }
  };
  for (const driver of bench.drivers) {
    await attempt(driver, async () => {
      await prepare(driver);
      return {};
    });
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const driver of bench.drivers) await attempt(driver, () => turn(driver, round));
  }
  return result;
}

/** Hundredths below ten, tenths below a hundred, else whole numbers: what the clock is worth. */
function rounded(value: number): number {
  const scale = value < 10 ? 100 : value < 100 ? 10 : 1;
  return Math.round(value * scale) / scale;
}
