/**
 * Keeps imports of packages inside what csp installed, under Bun. Bun answers them itself: the package's own
 * dependencies first, then every `node_modules` above the data directory. Only where there is one above, an import that
 * the package does not declare can leave, so only then this reads the packages' modules ahead of Bun and changes the few
 * that could ask for such a name. Runs inside the script's process.
 */
import type { Lookup } from "./bun-resolve.ts";
import { isPackageFile, type Places, packageOf } from "./places.ts";
import { readText } from "./read-text.ts";
import { possibleImports, type RewrittenSource, rewriteImports } from "./rewrite.ts";

export interface PackageGuard {
  /** The files to change among a package's module and all that it leads to; each file is looked at once. */
  unsafeSources(file: string): [string, RewrittenSource][];
  /** One file changed as above. */
  rewritten(file: string): RewrittenSource | undefined;
}

export interface GuardParts {
  places: Places;
  isBuiltin: (specifier: string) => boolean;
  lookup: Lookup;
  exists: (path: string) => boolean;
}

export function packageGuard({ places, isBuiltin, lookup, exists }: GuardParts): PackageGuard {
  const seen = new Set<string>();
  const owned = new Map<string, boolean>();

  /** True where the package of the directory, or the hoisted tree around it, has the name. */
  function owns(directory: string, name: string): boolean {
    const key = `${directory}\0${name}`;
    const known = owned.get(key);
    if (known !== undefined) return known;
    const here = directory.endsWith("/node_modules") ? `${directory}/${name}` : `${directory}/node_modules/${name}`;
    const parent = directoryOf(directory);
    const found = exists(here) || (isPackageFile(places, `${parent}/`) && owns(parent, name));
    owned.set(key, found);
    return found;
  }

  function isSafe(specifier: string, directory: string): boolean {
    const name = packageOf(specifier);
    return name === undefined || isBuiltin(specifier) || owns(directory, name);
  }

  function rewritten(file: string, text = readText(file)): RewrittenSource | undefined {
    if (text === undefined || !isPackageFile(places, file)) return undefined;
    const directory = directoryOf(file);
    const { specifiers, computed } = possibleImports(text);
    if (!computed && specifiers.every((specifier) => isSafe(specifier, directory))) return undefined;
    return rewriteImports(text, file, (specifier) => isSafe(specifier, directory));
  }

  /** The package files that the text may import. */
  function next(file: string, text: string): string[] {
    return possibleImports(text).specifiers.flatMap((specifier) => {
      if (isBuiltin(specifier) || !isSafe(specifier, directoryOf(file))) return [];
      try {
        const found = lookup(specifier, directoryOf(file));
        return isPackageFile(places, found) ? [found] : [];
      } catch {
        return [];
      }
    });
  }

  return {
    unsafeSources(file) {
      const unsafe: [string, RewrittenSource][] = [];
      const queue = [file];
      for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
        if (seen.has(at) || !/\.[mc]?[jt]sx?$/.test(at)) continue;
        seen.add(at);
        const text = readText(at);
        if (text === undefined || !/\bimport\b|\bfrom\b/.test(text)) continue;
        const source = rewritten(at, text);
        if (source !== undefined) unsafe.push([at, source]);
        queue.push(...next(at, text));
      }
      return unsafe;
    },
    rewritten,
  };
}

/** True where a `node_modules` stands above the directory of the packages or of the trees. */
export function hasModulesAbove(places: Places, exists: (path: string) => boolean): boolean {
  const starts = places.packageRoots.map((root) => directoryOf(root.slice(0, -1)));
  return starts.some((start) => {
    for (let at = start; ; at = directoryOf(at)) {
      if (exists(`${at === "/" ? "" : at}/node_modules`) && !isPackageFile(places, `${at}/node_modules/`)) return true;
      if (at === "/") return false;
    }
  });
}

function directoryOf(file: string): string {
  return file.slice(0, file.lastIndexOf("/")) || "/";
}
