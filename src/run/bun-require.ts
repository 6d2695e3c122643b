/** require, require.resolve and createRequire, under Bun. Runs inside the script's process. */
import type { ImportHookParts } from "./bun-imports.ts";
import { undeclaredImport } from "./explain.ts";
import { internals, type ResolveFilename } from "./module-internals.ts";
import { isPackageFile, packageOf } from "./places.ts";

/** Bun asks `Module._resolveFilename` for every require, also for those of packages. */
export function hookRequire(parts: ImportHookParts): void {
  const { places, resolver, sources, workers, isBuiltin, code } = parts;
  const original = internals._resolveFilename;

  const resolveFilename: ResolveFilename = function (this: unknown, request, parent, isMain, options) {
    const native = () => original.call(this, request, parent, isMain, options);
    if (typeof request !== "string" || request === "") return native();
    if (isBuiltin(request)) {
      workers.beforeBuiltin(request);
      return native();
    }
    const asking = (typeof parent === "string" ? parent : parent?.filename) ?? "";
    const importer = asking === code?.path ? code.standsFor : asking;
    if (importer !== asking && options?.paths === undefined) {
      const place = { id: importer, filename: importer, paths: [] };
      return resolveFilename.call(this, request, place, isMain, options);
    }
    const from = options?.paths ?? [importer];
    const ofPackage = from.length > 0 && from.every((place) => isPackageFile(places, `${place}/`));
    if (ofPackage) {
      const file = native();
      if (file.startsWith("/") && packageOf(request) !== undefined && !isPackageFile(places, file)) {
        throw undeclaredImport(request, importer, "require");
      }
      sources.prepareRequire(file);
      return file;
    }
    const inTree = packageOf(request) !== undefined || request.startsWith("#");
    const file = inTree ? resolver.find(request, importer, "require") : native();
    sources.prepareRequire(file);
    return file;
  };

  internals._resolveFilename = resolveFilename;
}
