/** Where an import of the user's code leads, under Bun. Runs inside the script's process. */
import { foreignSubpathImport, type ImportKind, importError, missingSubpath } from "./explain.ts";
import { isPackageFile, type Places, packageOf } from "./places.ts";

/** Looks a specifier up as Bun does from a directory; throws where there is nothing. */
export type Lookup = (specifier: string, directory: string) => string;

export interface BunResolver {
  /** The file behind a bare specifier or a subpath import (`#x`), or the name of a module that Bun has built in. */
  find(specifier: string, importer: string, kind: ImportKind): string;
}

export interface ResolverParts {
  places: Places;
  explain: (name: string) => string;
  lookup: Readonly<Record<ImportKind, Lookup>>;
  exists: (path: string) => boolean;
}

/** Builds the resolver; results are remembered for the life of the process, as the tree never changes. */
export function bunResolver(parts: ResolverParts): BunResolver {
  const { places, explain, lookup, exists } = parts;
  const found: Record<ImportKind, Map<string, string>> = { import: new Map(), require: new Map() };

  function inTree(specifier: string, name: string, importer: string, kind: ImportKind): string {
    const known = found[kind].get(specifier);
    if (known !== undefined) return known;
    const file = usable(places.modules) ?? usable(`${places.modules}/${name}`);
    if (file === undefined) {
      throw importError(installed(name) ? missingSubpath(specifier, name) : explain(name), importer, kind);
    }
    found[kind].set(specifier, file);
    return file;

    // A package.json above the data directory can claim the name for its own project, so the second place to look from
    // is the package itself. It is not the first, as a package may hold another version of itself.
    function usable(directory: string): string | undefined {
      try {
        const file = lookup[kind](specifier, directory);
        // Not an absolute path: Bun has its own module of that name.
        return (file.startsWith("/") ? isPackageFile(places, file) : installed(name)) ? file : undefined;
      } catch {
        return undefined;
      }
    }
  }

  function installed(name: string): boolean {
    return exists(`${places.modules}/${name}`);
  }

  return {
    find(specifier, importer, kind) {
      const name = packageOf(specifier);
      if (name !== undefined) return inTree(specifier, name, importer, kind);
      const file = lookup[kind](specifier, importer.slice(0, importer.lastIndexOf("/")));
      if (file.includes("/node_modules/")) throw importError(foreignSubpathImport(specifier), importer, kind);
      return file;
    },
  };
}
