/** pnpm with its global virtual store. */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { measure } from "../measure.ts";
import { rootsOf } from "../set.ts";
import {
  type Driver,
  environment,
  manifest,
  otherVersions,
  type Place,
  projectOf,
  putAway,
  writeProject,
} from "./driver.ts";

const version = "12.21.0";

function settings(globalVirtualStore: boolean): string {
  // Without the age check, for which a frozen install asks the registry about every package; the other peers have none.
  return [
    `enableGlobalVirtualStore: ${globalVirtualStore}`,
    "storeDir: ../store/blobs",
    "cacheDir: ../store/cache",
    "minimumReleaseAge: 0",
    "",
  ].join("\n");
}

/** The executable of pnpm, which npm installs into the cache directory the first time. */
function findPnpm(cache: string): string {
  const prefix = join(cache, "peers", `pnpm-${version}`);
  mkdirSync(prefix, { recursive: true });
  const executables = new Bun.Glob("node_modules/@pnpm/exe.*/pnpm");
  const look = () => [...executables.scanSync({ cwd: prefix, absolute: true })][0];
  if (!look()) Bun.spawnSync(["npm", "install", "--prefix", prefix, "--ignore-scripts", "--silent", `pnpm@${version}`]);
  const found = look();
  if (!found) throw new Error(`npm did not install pnpm ${version}`);
  return found;
}

export function pnpmDriver(cache: string): Driver {
  const pnpm = findPnpm(cache);
  const command = (place: Place, ...args: string[]) => ({
    argv: [pnpm, "install", "--ignore-scripts", "--reporter=silent", ...args],
    cwd: place.project,
    env: environment(place),
  });
  return {
    name: "pnpm global store",
    product: "pnpm",
    version,
    command: (place, ...args) => ({ argv: [pnpm, ...args], cwd: place.project, env: environment(place) }),
    startUp: { argv: [pnpm, "--version"], cwd: "/", env: {} },
    lock(place, set, variant) {
      const files = { "package.json": manifest(rootsOf(set, variant)), "pnpm-workspace.yaml": settings(true) };
      writeProject(place, files);
      measure(command(place, "--lockfile-only"));
      return { ...files, "pnpm-lock.yaml": readFileSync(join(place.project, "pnpm-lock.yaml"), "utf8") };
    },
    install: (place, mode = "frozen") => command(place, ...(mode === "frozen" ? ["--frozen-lockfile"] : [])),
    warm(place, set) {
      const beside = projectOf(place, "warm");
      writeProject(beside, { "package.json": manifest(otherVersions(set)), "pnpm-workspace.yaml": settings(false) });
      measure(command(beside));
    },
    modules: (place) => join(place.project, "node_modules"),
    dropTree: (place) => putAway(join(place.project, "node_modules"), place),
  };
}
