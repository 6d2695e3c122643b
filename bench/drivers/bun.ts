/** bun with one of its three layouts. */
import { readFileSync } from "node:fs";
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

export type Layout = "hoisted" | "isolated" | "global store";

export function bunDriver(bun: string, layout: Layout): Driver {
  const command = (place: Place, ...args: string[]) => ({
    argv: [bun, "install", "--ignore-scripts", "--no-progress", ...args],
    cwd: place.project,
    env: {
      ...environment(place),
      BUN_INSTALL_CACHE_DIR: place.store,
      BUN_INSTALL_GLOBAL_STORE: layout === "global store" ? "1" : "0",
    },
  });
  return {
    name: `bun ${layout}`,
    product: "bun",
    version: Bun.spawnSync([bun, "--version"]).stdout.toString().trim(),
    startUp: { argv: [bun, "--version"], cwd: "/", env: {} },
    lock(place, set, variant) {
      const text = manifest(rootsOf(set, variant));
      writeProject(place, { "package.json": text });
      measure(command(place, "--lockfile-only"));
      return { "package.json": text, "bun.lock": readFileSync(join(place.project, "bun.lock"), "utf8") };
    },
    install: (place, mode = "frozen") =>
      command(
        place,
        ...(mode === "frozen" ? ["--frozen-lockfile"] : []),
        "--linker",
        layout === "hoisted" ? "hoisted" : "isolated",
      ),
    warm(place, set) {
      const beside = projectOf(place, "warm");
      writeProject(beside, { "package.json": manifest(otherVersions(set)) });
      measure(command(beside, "--linker", "hoisted"));
    },
    modules: (place) => join(place.project, "node_modules"),
    dropTree: (place) => putAway(join(place.project, "node_modules"), place),
  };
}
