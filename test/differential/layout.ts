/**
 * What is on disk, read as Node reads it: a package is its real folder, a name means the first
 * `node_modules/<name>` from that folder upwards, by its real path.
 */
import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";

export interface Manifest {
  name: string;
  version: string;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  peerDependenciesMeta?: Record<string, { optional?: boolean }>;
}

export interface Layout {
  /** The folder that scripts import from; it holds a node_modules. */
  root: string;
  /** The real folder of what `name` means in the package (or root) at `from`; undefined where nothing is found. */
  find(from: string, name: string): string | undefined;
  manifest(folder: string): Manifest;
  /** `name@version` of the package in a real folder. */
  label(folder: string): string;
}

/** Reads what was installed; nothing is looked for outside of `outermost`. */
export function readLayout({ root, outermost }: { root: string; outermost: string }): Layout {
  const found = new Map<string, string | undefined>();
  const manifests = new Map<string, Manifest>();
  const inFolder = (folder: string, name: string): string | undefined => {
    const at = join(folder, "node_modules", name);
    if (!found.has(at)) found.set(at, existsSync(join(at, "package.json")) ? realpathSync(at) : undefined);
    return found.get(at);
  };
  const manifest = (folder: string): Manifest => {
    const known = manifests.get(folder) ?? (JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest);
    manifests.set(folder, known);
    return known;
  };
  return {
    root,
    find(from, name) {
      for (let at = from; ; at = dirname(at)) {
        const hit = basename(at) === "node_modules" ? undefined : inFolder(at, name);
        if (hit !== undefined || at === outermost || at === dirname(at)) return hit;
      }
    },
    manifest,
    label: (folder) => `${manifest(folder).name}@${manifest(folder).version}`,
  };
}

export interface Declared {
  optional: boolean;
  /** What is asked for; of an alias, the range behind it. */
  range: string;
}

/** All names a package says it may import; what it calls optional is that, whatever else it calls it. */
export function declaredNames(manifest: Manifest): Map<string, Declared> {
  const names = new Map<string, Declared>();
  const add = (record: Record<string, string> | undefined, isOptional: (name: string) => boolean): void => {
    for (const [name, spec] of Object.entries(record ?? {})) {
      const range = spec.startsWith("npm:") ? spec.slice(spec.lastIndexOf("@") + 1) : spec;
      if (!names.has(name)) names.set(name, { optional: isOptional(name), range });
    }
  };
  add(manifest.optionalDependencies, () => true);
  add(manifest.dependencies, () => false);
  add(manifest.peerDependencies, (name) => manifest.peerDependenciesMeta?.[name]?.optional === true);
  return names;
}

/** Every folder of a package below a folder, links not followed: `node_modules/a/node_modules/@s/b`. */
export function packageFolders(folder: string, at = ""): string[] {
  const result: string[] = [];
  const take = (name: string): void => {
    const path = `${at}node_modules/${name}`;
    result.push(path, ...packageFolders(folder, `${path}/`));
  };
  const modules = join(folder, at, "node_modules");
  for (const entry of foldersIn(modules)) {
    if (!entry.startsWith("@")) take(entry);
    else for (const inner of foldersIn(join(modules, entry))) take(`${entry}/${inner}`);
  }
  return result.sort();
}

/** The names of folders in a folder, hidden ones left out; none where there is no such folder. */
function foldersIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith(".")).map((entry) => entry.name);
}

/** The names that are importable from a `node_modules` folder. */
export function namesIn(modules: string): string[] {
  return readdirSync(modules)
    .filter((name) => !name.startsWith("."))
    .flatMap((name) => (name.startsWith("@") ? readdirSync(join(modules, name)).map((own) => `${name}/${own}`) : name))
    .sort();
}
