/** What the harness needs to know of a package manager. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { PackageSet, Variant } from "../set.ts";
import type { Command } from "../shot.ts";

/** A machine in small: one home and one store, with any number of projects. */
export interface Place {
  root: string;
  home: string;
  /** Where the manager keeps what it downloads and shares. */
  store: string;
  /** The project that is installed; `projectOf` makes another one on the same store. */
  project: string;
}

/** A project's files by name: the manifest, the lockfile, the settings. */
export type ProjectFiles = Record<string, string>;

export interface Driver {
  /** As the tables call it. */
  name: string;
  product: "bun" | "pnpm" | "csp";
  version: string;
  /** Starts and does nothing. */
  startUp: Command;
  /** Resolves a variant in an empty place, with the mirror showing that variant. Throws where it fails. */
  lock(place: Place, set: PackageSet, variant: Variant): ProjectFiles;
  /** Installs the project's lockfile; `frozen` as CI does it, else as a person types it. */
  install(place: Place, mode?: "frozen" | "plain"): Command;
  /** Any other command of the product in a place; only where scenarios need one. */
  command?(place: Place, ...args: string[]): Command;
  /** Brings the set's other versions into the store without building anything of them; the mirror shows them all. */
  warm(place: Place, set: PackageSet): void;
  /** The directory that must hold every root after an install. */
  modules(place: Place): string;
  /** Takes the installed tree away by a rename, because deleting slows some file systems for minutes; its new path. */
  dropTree(place: Place): string;
}

/** Makes an empty place whose npm configuration names only the registry. */
export function makePlace(root: string, registry: string): Place {
  const place = { root, home: join(root, "home"), store: join(root, "store"), project: join(root, "project") };
  for (const dir of [place.home, place.store, place.project]) mkdirSync(dir, { recursive: true });
  writeFileSync(join(place.home, ".npmrc"), `registry=${registry}/\n`);
  return place;
}

/** The same home and store with another, empty project. */
export function projectOf(place: Place, name: string): Place {
  const project = join(place.root, name);
  mkdirSync(project, { recursive: true });
  return { ...place, project };
}

/** Writes what differs; a file that is as it should be keeps its time, by which some managers know that nothing changed. */
export function writeProject(place: Place, files: ProjectFiles): void {
  for (const [name, text] of Object.entries(files)) {
    const file = join(place.project, name);
    if (!existsSync(file) || readFileSync(file, "utf8") !== text) writeFileSync(file, text);
  }
}

/** The environment every peer gets: no CI, no colours, nobody's settings. */
export function environment(place: Place): Record<string, string> {
  return { PATH: process.env.PATH ?? "", HOME: place.home, NO_COLOR: "1" };
}

/** Renames a file or directory to a name that no earlier call used, and returns it. */
export function putAway(path: string, place: Place): string {
  const away = join(place.root, `gone-${Bun.randomUUIDv7()}`);
  renameSync(path, away);
  return away;
}

/** A package.json with these dependencies. */
export function manifest(dependencies: Record<string, string>): string {
  return `${JSON.stringify({ name: "bench", private: true, dependencies }, null, 2)}\n`;
}

/** One alias for each of the set's other versions. */
export function otherVersions(set: PackageSet): Record<string, string> {
  return Object.fromEntries(set.others.map((p, i) => [`other-${i}`, `npm:${p.name}@${p.version}`]));
}
