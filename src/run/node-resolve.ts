/** Where an import leads, under Node. Runs inside the script's process. */
import { fileURLToPath, pathToFileURL } from "node:url";
import { foreignSubpathImport, type ImportKind, importError, missingSubpath, undeclaredImport } from "./explain.ts";
import { isPackageFile, type Places, packageOf } from "./places.ts";

export interface NodeResolver {
  /** The place a specifier is looked up from: the importer itself, or the tree for the user's bare imports. */
  from(specifier: string, importer: string): string;
  /** Throws unless the file found, if it is one, may be what the importer meant. */
  check(specifier: string, importer: string, found: string, kind: ImportKind): void;
  /** The error to throw where nothing was found; the runtime's own one where it says enough. */
  failure(specifier: string, importer: string, error: unknown, kind: ImportKind): unknown;
}

export interface NodeResolverParts {
  places: Places;
  explain: (name: string) => string;
  exists: (path: string) => boolean;
  isBuiltin: (specifier: string) => boolean;
  /** True where this Node compiles TypeScript away. */
  typescript: boolean;
}

const typescriptFile = /(?<!\.d)\.[mc]?tsx?$/;

/** Paths are file names; nothing is remembered, because Node does. */
export function nodeResolver(parts: NodeResolverParts): NodeResolver {
  const { places, explain, exists, isBuiltin, typescript } = parts;

  function missing(specifier: string, name: string, importer: string, kind: ImportKind): Error {
    const installed = exists(`${places.modules}/${name}`);
    return importError(installed ? missingSubpath(specifier, name) : explain(name), importer, kind);
  }

  /** The package that user code wants from the tree. */
  function wanted(specifier: string, importer: string): string | undefined {
    return isPackageFile(places, importer) || isBuiltin(specifier) ? undefined : packageOf(specifier);
  }

  return {
    from(specifier, importer) {
      // A file name inside node_modules: no package.json above it can claim the specifier as its own name.
      return wanted(specifier, importer) === undefined ? importer : `${places.modules}/csp-run.mjs`;
    },
    check(specifier, importer, found, kind) {
      if (!found.startsWith("/")) return;
      const inPackage = isPackageFile(places, found);
      const name = wanted(specifier, importer);
      if (name !== undefined && !inPackage) throw missing(specifier, name, importer, kind);
      const ofPackage = isPackageFile(places, importer);
      if (ofPackage && !inPackage && packageOf(specifier) !== undefined)
        throw undeclaredImport(specifier, importer, kind);
      if (!ofPackage && specifier.startsWith("#") && found.includes("/node_modules/")) {
        throw importError(foreignSubpathImport(specifier), importer, kind);
      }
      if (!typescript && !inPackage && typescriptFile.test(found))
        throw importError(noTypescript(found), importer, kind);
    },
    failure(specifier, importer, error, kind) {
      const name = wanted(specifier, importer);
      const { code } = error as { code?: unknown };
      const absent = ["MODULE_NOT_FOUND", "ERR_MODULE_NOT_FOUND", "ERR_PACKAGE_PATH_NOT_EXPORTED"].includes(
        String(code),
      );
      return name !== undefined && absent ? missing(specifier, name, importer, kind) : error;
    },
  };
}

/** The path of a file URL; other URLs and undefined as they are, so that they count as user code. */
export function pathOf(url: string | undefined): string {
  return url?.startsWith("file:") ? fileURLToPath(url) : (url ?? "");
}

/** One import, in Node's terms; `next` is Node's own resolution. */
export function resolveImport<Context extends { parentURL?: string | undefined }, Result>(
  resolver: NodeResolver,
  specifier: string,
  context: Context,
  next: (specifier: string, context: Context) => Result,
): { result: Result; check: (found: { url: string }) => void; failure: (error: unknown) => unknown } {
  const importer = pathOf(context.parentURL);
  const from = resolver.from(specifier, importer);
  const failure = (error: unknown): unknown => resolver.failure(specifier, importer, error, "import");
  try {
    const result = next(specifier, from === importer ? context : { ...context, parentURL: pathToFileURL(from).href });
    return { result, check: ({ url }) => resolver.check(specifier, importer, pathOf(url), "import"), failure };
  } catch (error) {
    throw failure(error);
  }
}

function noTypescript(file: string): string {
  return `this Node cannot run TypeScript (\`${file.slice(file.lastIndexOf("/") + 1)}\`)\n  help: leave out \`--runtime node\`, or use Node 22.18 or newer`;
}
