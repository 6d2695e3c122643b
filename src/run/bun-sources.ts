/** Which files Bun gets with changed imports. Runs inside the script's process. */
import type { PackageGuard } from "./bun-guard.ts";
import { type CodeFile, metaOf } from "./code-file.ts";
import { type CompilableModule, type ExtensionHandler, internals } from "./module-internals.ts";
import { isPackageFile, type Places } from "./places.ts";
import { readText } from "./read-text.ts";
import { type RewrittenSource, rewriteImports, unchangedSource } from "./rewrite.ts";

export interface UserSources {
  /** The file the process was started with. */
  prepareMain(): Promise<void>;
  /** To be called before Bun loads a file by import. Does nothing for packages and for files without imports. */
  prepareImport(file: string): void;
  /** To be called before Bun loads a file by require. */
  prepareRequire(file: string): void;
}

export interface SourceParts {
  places: Places;
  isBuiltin: (specifier: string) => boolean;
  /** Looks after the packages' own imports, where that is necessary. */
  guard: PackageGuard | undefined;
  /** The main module, where it is a copy of another place. */
  code: CodeFile | undefined;
}

const javascript = /\.[mc]?[jt]sx?$/;

/** Registers, file by file, what must be changed: Bun cannot take a file back once a filter has matched it. */
export function userSources({ places, isBuiltin, guard, code }: SourceParts): UserSources {
  /** What a file says, for the load that follows its preparation; later loads read it again. */
  const fresh = new Map<string, RewrittenSource | undefined>();
  const formats = new Map<string, RewrittenSource["format"] | "unchanged">();
  const onLoadFiles = new Set<string>();
  const compiled = new Set<string>();
  const endings = new Set<string>();

  function prepare(file: string, text?: string): RewrittenSource["format"] | "unchanged" {
    const known = formats.get(file);
    if (known !== undefined) return known;
    formats.set(file, "unchanged");
    if (text !== undefined || isUserSource(file)) adopt(file, rewritten(file, text));
    else if (guard !== undefined && isPackageFile(places, file)) {
      // The files behind this one are reached by imports that Bun does not ask about.
      for (const [behind, source] of guard.unsafeSources(file)) {
        adopt(behind, source);
        if (behind !== file && source.format === "module") serve(behind, source.format);
      }
    }
    return formats.get(file) ?? "unchanged";
  }

  function adopt(file: string, source: RewrittenSource | undefined): void {
    fresh.set(file, source);
    formats.set(file, source?.format ?? "unchanged");
  }

  function isUserSource(file: string): boolean {
    if (!file.startsWith("/") || isPackageFile(places, file)) return false;
    return javascript.test(file) || !file.slice(file.lastIndexOf("/") + 1).includes(".");
  }

  function rewritten(file: string, text = readText(file)): RewrittenSource | undefined {
    if (text === undefined) return undefined;
    if (file !== code?.path) return rewriteImports(text, file, isBuiltin);
    const source = rewriteImports(text, file, isBuiltin, code.standsFor) ?? unchangedSource(text, file, code.standsFor);
    return source.format === "module" ? { ...source, text: metaOf(code) + source.text } : source;
  }

  function take(file: string): RewrittenSource | undefined {
    if (!fresh.has(file)) return guard?.rewritten(file) ?? rewritten(file);
    const source = fresh.get(file);
    fresh.delete(file);
    return source;
  }

  function serve(file: string, format: RewrittenSource["format"]): void {
    if (onLoadFiles.has(file)) return;
    onLoadFiles.add(file);
    const filter = new RegExp(`^${RegExp.escape(file)}(\\?.*)?$`);
    Bun.plugin({
      name: "csp run",
      setup(build) {
        build.onLoad({ filter }, () => {
          if (format === "commonjs") return { loader: "object", exports: namespaceOf(commonJs(file)) };
          const { text, loader } = take(file) ?? unchangedSource(readText(file) ?? "", file);
          return { contents: text, loader };
        });
      },
    });
  }

  /** Loads a CommonJS file as Bun would, but with its import() calls changed. */
  function commonJs(file: string): NodeModule {
    const known = internals._cache[file];
    if (known !== undefined) return known;
    const name = file === code?.path ? code.standsFor : file;
    const module = new internals(name);
    module.filename = name;
    module.paths = [];
    internals._cache[file] = module;
    compile(module, file);
    module.loaded = true;
    return module;
  }

  function compile(module: CompilableModule, file: string): void {
    const { text } = take(file) ?? unchangedSource(readText(file) ?? "", file);
    // `this` is the exports in a CommonJS module, but not for what Bun compiles from a text.
    module._compile(`(function () {${text}\n}).call(exports);`, module.filename);
  }

  /** Bun asks a changed entry of `require.extensions` for every file that is required by that ending. */
  function compileOnRequire(file: string): void {
    if (compiled.has(file)) return;
    compiled.add(file);
    const ending = /\.[^./]+$/.exec(file)?.[0] ?? ".js";
    if (endings.has(ending)) return;
    endings.add(ending);
    const fallback = internals._extensions[ending] ?? internals._extensions[".js"];
    const handler: ExtensionHandler = (module, name) =>
      compiled.has(name) ? compile(module, name) : fallback?.(module, name);
    internals._extensions[ending] = handler;
  }

  return {
    async prepareMain() {
      const main = Bun.main;
      if (main === code?.path && Bun.isMainThread) process.argv[1] = code.standsFor;
      // The code of a child's `-e` is no file, and Bun asks no plugin about it.
      if (!isUserSource(main) || /\/\[(?:eval|stdin)\]$/.test(main)) return;
      const format = prepare(main, await Bun.file(main).text());
      if (format !== "unchanged") serve(main, format);
    },
    prepareImport(file) {
      const format = prepare(file);
      if (format !== "unchanged") serve(file, format);
    },
    prepareRequire(file) {
      const format = prepare(file);
      if (format === "commonjs") compileOnRequire(file);
      else if (format === "module") serve(file, format);
    },
  };
}

/** What Bun shows an import of a CommonJS module: its exports by name, and all of them as the default. */
function namespaceOf(module: NodeModule): Record<string, unknown> {
  const exports: unknown = module.exports;
  const named = typeof exports === "object" || typeof exports === "function" ? { ...exports } : {};
  const interop = "__esModule" in named && "default" in named;
  return interop ? named : { ...named, default: exports };
}
