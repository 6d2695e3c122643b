/** Static and dynamic imports and the resolve functions, under Bun. Runs inside the script's process. */
import type { BunResolver } from "./bun-resolve.ts";
import type { UserSources } from "./bun-sources.ts";
import type { WorkerHook } from "./bun-workers.ts";
import type { CodeFile } from "./code-file.ts";
import { undeclaredImport } from "./explain.ts";
import { isPackageFile, type Places, packageOf } from "./places.ts";
import { importGlobal, importScheme } from "./rewrite.ts";

export interface ImportHookParts {
  places: Places;
  resolver: BunResolver;
  sources: UserSources;
  workers: WorkerHook;
  isBuiltin: (specifier: string) => boolean;
  /** The main module, where it is a copy of another place. */
  code: CodeFile | undefined;
}

/** Answers the `csp:` scheme that the user's code is changed to use. */
export function hookImports(parts: ImportHookParts): void {
  const { places, resolver, sources, workers, isBuiltin, code } = parts;
  const resolveSync = Bun.resolveSync;
  const resolve = Bun.resolve;

  function answer(specifier: string, from: string): { path: string } {
    const importer = from === code?.path ? code.standsFor : from;
    if (isBuiltin(specifier)) {
      workers.beforeBuiltin(specifier);
      return { path: specifier };
    }
    if (isPackageFile(places, importer)) return { path: packageImport(specifier, importer) };
    if (packageOf(specifier) === undefined && !specifier.startsWith("#")) {
      const target = fileBehind(specifier, importer);
      if (target !== undefined) sources.prepareImport(target);
      // Bun resolves it once more from the importer: the query is kept, and what is missing is Bun's error.
      return { path: importer === from ? specifier : absolute(specifier, importer, target) };
    }
    const file = resolver.find(specifier, importer, "import");
    sources.prepareImport(file);
    return { path: file };
  }

  /** Packages are changed by the guard, and by JSX, whose runtime is named once for the whole process. */
  function packageImport(specifier: string, importer: string): string {
    if (packageOf(specifier) === undefined) {
      const file = fileBehind(specifier, importer);
      if (file !== undefined) sources.prepareImport(file);
      // A binary without an ending runs from a copy, which has none of the package's files beside it.
      return importer === code?.standsFor ? (file ?? absolute(specifier, importer, file)) : specifier;
    }
    const file = resolveSync(specifier, directoryOf(importer));
    if (file.startsWith("/") && !isPackageFile(places, file)) throw undeclaredImport(specifier, importer, "import");
    sources.prepareImport(file);
    return file;
  }

  /** For code that stands elsewhere than it seems, Bun must not look from where it is. */
  function absolute(specifier: string, importer: string, target: string | undefined): string {
    if (!/^\.{0,2}\//.test(specifier)) return specifier;
    return target ?? `${directoryOf(importer)}/${specifier}`;
  }

  function fileBehind(specifier: string, importer: string): string | undefined {
    try {
      return resolveSync(specifier.replace(/[?].*$/, ""), directoryOf(importer));
    } catch {
      return undefined;
    }
  }

  function isTreeImport(specifier: unknown, from: unknown): specifier is string {
    if (typeof specifier !== "string" || isBuiltin(specifier)) return false;
    return packageOf(specifier) !== undefined && !isPackageFile(places, String(from));
  }

  Object.defineProperty(globalThis, importGlobal, { get: () => `${importScheme}:`, set: () => {} });
  Bun.plugin({
    name: "csp run",
    setup(build) {
      build.onResolve({ filter: /^/, namespace: importScheme }, ({ path, importer }) => answer(path, importer));
      // Packages load files of the user by path, such as their configuration.
      build.onResolve({ filter: /^\// }, ({ path }) => void sources.prepareImport(path.replace(/[?].*$/, "")));
      build.onResolve(
        { filter: /^worker_threads$/, namespace: "node" },
        ({ path }) => void workers.beforeBuiltin(path),
      );
    },
  });
  Bun.resolveSync = (specifier, from) =>
    isTreeImport(specifier, from) ? resolver.find(specifier, from, "import") : resolveSync(specifier, from);
  Bun.resolve = async (specifier, from) =>
    isTreeImport(specifier, from) ? resolver.find(specifier, from, "import") : resolve(specifier, from);
}

function directoryOf(file: string): string {
  return file.slice(0, file.lastIndexOf("/")) || "/";
}
