/**
 * What is on a host, looked at without csp's help, so that a crash can be judged by somebody else than csp. Everything
 * below `cache`, `packages` and `trees` is compared byte by byte with what was there before the command or is there
 * after it; there is nothing in between.
 */
import { lstatSync, readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { dirname, join, relative } from "node:path";

export interface HostPicture {
  /** Blobs, packages and trees by their paths in the data directory, each with a fingerprint of all that is in it. */
  things: ReadonlyMap<string, string>;
  /** All other names in the data directory that mean something, and those in the project. */
  names: readonly string[];
  /** What `current` says. */
  current: string | undefined;
  /** The project's files by name. */
  project: ReadonlyMap<string, string>;
}

const dataFolder = ".data/script-packages";
const shelves = ["cache/v1", "packages/v1", "trees"] as const;
/** Names whose presence says nothing: locks come with their first use, notes of the collector and stamps save work. */
const incidental = /^(?:locks\/(?:install|gc|switch)|gc\.json|stamps(?:\/[0-9a-f]{64})?)$/;

/** Looks at the project in `directory` and the data directory in it. */
export function pictureOf(directory: string): HostPicture {
  const root = join(directory, dataFolder);
  const things = new Map<string, string>();
  for (const shelf of shelves) {
    for (const name of namesIn(join(root, shelf))) {
      const path = `${shelf}/${name}`;
      const inner = shelf === "cache/v1" ? namesIn(join(root, path)).map((digest) => `${path}/${digest}`) : [path];
      for (const each of inner) things.set(each, fingerprint(join(root, each)));
    }
  }
  const names: string[] = [];
  const visit = (folder: string): void => {
    for (const name of namesIn(join(root, folder))) {
      const path = folder === "" ? name : `${folder}/${name}`;
      if (shelves.some((shelf) => path === shelf || shelf.startsWith(`${path}/`))) continue;
      if (!incidental.test(path)) names.push(path);
      if (lstatSync(join(root, path)).isDirectory()) visit(path);
    }
  };
  visit("");
  const files = namesIn(directory).filter((name) => name !== ".data");
  names.push(...files.map((name) => `project: ${name}`));
  return {
    things,
    names: names.sort(),
    current: linkAt(join(root, "current")),
    project: new Map(files.map((name) => [name, readFileSync(join(directory, name), "utf8")])),
  };
}

/** The states a command leads from and to. */
export interface Span {
  before: HostPicture;
  after: HostPicture;
}

/** What is wrong with a host that was stopped somewhere on the way, in words; empty where nothing is. */
export function wrongOnTheWay(directory: string, { before, after }: Span): string[] {
  const now = pictureOf(directory);
  const wrong: string[] = [];
  for (const [path, print] of now.things) {
    if (!before.things.has(path) && !after.things.has(path)) wrong.push(`${path} has no business here`);
    else if (print !== before.things.get(path) && print !== after.things.get(path)) {
      wrong.push(`${path} is neither as it was nor as it should be`);
    }
  }
  for (const path of before.things.keys()) {
    if (after.things.has(path) && !now.things.has(path)) wrong.push(`${path} was to stay and is gone`);
  }
  if (now.current !== before.current && now.current !== after.current) {
    wrong.push(`current leads to ${now.current}, neither where it led nor where it should lead`);
  }
  if (now.current !== undefined && !now.things.has(now.current))
    wrong.push(`current leads to ${now.current}: not there`);
  for (const name of new Set([...before.project.keys(), ...after.project.keys()])) {
    const text = now.project.get(name);
    if (text !== before.project.get(name) && text !== after.project.get(name)) {
      wrong.push(`the project's ${name} is neither as it was nor as it should be`);
    }
  }
  const known = new Set([...dangling(directory, now), ...wrong]);
  return [...known];
}

/** What is different from the picture, leftovers included. */
export function wrongAtTheEnd(directory: string, after: HostPicture): string[] {
  const now = pictureOf(directory);
  const wrong: string[] = [];
  for (const path of new Set([...now.things.keys(), ...after.things.keys()])) {
    if (now.things.get(path) === after.things.get(path)) continue;
    const how = !now.things.has(path) ? "is missing" : after.things.has(path) ? "is not what it should be" : "is left";
    wrong.push(`${path} ${how}`);
  }
  for (const name of now.names) if (!after.names.includes(name)) wrong.push(`${name} is left over`);
  for (const name of after.names) if (!now.names.includes(name)) wrong.push(`${name} is missing`);
  if (now.current !== after.current) wrong.push(`current leads to ${now.current}, not to ${after.current}`);
  for (const [name, text] of after.project) {
    if (now.project.get(name) !== text) wrong.push(`the project's ${name} is not what it should be`);
  }
  return wrong;
}

/** Links that lead nowhere, of trees and of the packages that trees lead to. */
function dangling(directory: string, now: HostPicture): string[] {
  const root = join(directory, dataFolder);
  const wrong: string[] = [];
  const seen = new Set<string>();
  const visit = (folder: string): void => {
    if (seen.has(folder)) return;
    seen.add(folder);
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) visit(path);
      if (!entry.isSymbolicLink()) continue;
      try {
        const target = realpathSync(path);
        const thing = /^packages\/v1\/[^/]+/.exec(relative(root, target))?.[0];
        if (thing !== undefined) visit(join(root, thing));
      } catch {
        wrong.push(`${relative(root, path)} leads nowhere`);
      }
    }
  };
  for (const path of now.things.keys()) if (path.startsWith("trees/")) visit(join(root, path));
  return wrong;
}

/** A hash of names, types, modes, link targets and bytes of a file or of all in a folder. */
function fingerprint(path: string): string {
  const hasher = new Bun.CryptoHasher("sha256");
  const visit = (at: string): void => {
    const stat = lstatSync(at);
    hasher.update(`${relative(dirname(path), at)}\0${stat.mode.toString(8)}\0`);
    if (stat.isFile()) hasher.update(`${stat.size}\0`).update(readFileSync(at));
    else if (stat.isSymbolicLink()) hasher.update(`${readlinkSync(at)}\0`);
    else if (stat.isDirectory()) for (const name of namesIn(at)) visit(join(at, name));
  };
  visit(path);
  return hasher.digest("hex");
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

function linkAt(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
