/** csp itself, as a user starts it: through `bin/csp`. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { tarballFile } from "../fill.ts";
import { measure } from "../measure.ts";
import { rootsOf } from "../set.ts";
import { type Driver, environment, type Place, putAway, writeProject } from "./driver.ts";

const csp = join(import.meta.dir, "..", "..", "bin", "csp");

/** Throws where `bin/csp` does not start. */
export function cspDriver(cache: string): Driver {
  const startUp = { argv: [csp, "--version"], cwd: "/", env: { PATH: process.env.PATH ?? "" } };
  const command = (place: Place, ...args: string[]) => ({
    argv: [csp, ...args, "--data-dir", place.store],
    cwd: place.project,
    env: environment(place),
  });
  const data = (place: Place) => join(place.store, "script-packages");
  return {
    name: "csp",
    product: "csp",
    version: measure(startUp).said.trim(),
    startUp,
    command,
    lock(place, set, variant) {
      const lines = Object.entries(rootsOf(set, variant)).map(([name, v]) => `  "${name}": "${v}"\n`);
      const files = { "script-packages.yaml": `packages:\n${lines.join("")}` };
      writeProject(place, files);
      measure(command(place, "lock"));
      const lockfile = "script-packages.lock";
      return { ...files, [lockfile]: readFileSync(join(place.project, lockfile), "utf8") };
    },
    install: (place, mode = "frozen") => command(place, "install", ...(mode === "frozen" ? ["--frozen-lockfile"] : [])),
    warm(place, set) {
      // Blobs are the registry's own bytes under their digest, so a copy is all that a download would leave.
      for (const { integrity } of set.others) {
        const digest = Buffer.from(integrity.slice("sha512-".length), "base64").toString("hex");
        const blob = join(data(place), "cache", "v1", digest.slice(0, 2), digest);
        mkdirSync(dirname(blob), { recursive: true });
        if (!existsSync(blob)) copyFileSync(tarballFile(cache, integrity), blob);
      }
    },
    modules: (place) => join(data(place), "current", "node_modules"),
    dropTree(place) {
      rmSync(join(data(place), "current"));
      return putAway(join(data(place), "trees"), place);
    },
  };
}
