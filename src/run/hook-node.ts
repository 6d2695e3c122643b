/**
 * Required by Node in every process and worker of a run (`NODE_OPTIONS=--require`). Answers the imports of the user's
 * code from the tree in `CSP_TREE`, and keeps the packages' own imports inside what csp installed.
 */
import { existsSync } from "node:fs";
import Module from "node:module";
import { pathToFileURL } from "node:url";
import { isMainThread, parentPort } from "node:worker_threads";
import { importExplainer, readRunInfo } from "./explain.ts";
import { internals, type ResolveFilename } from "./module-internals.ts";
import { type NodeResolver, nodeResolver, resolveImport } from "./node-resolve.ts";
import { placesOf } from "./places.ts";
import { type WorkerClass, type WorkerOptions, withHookVariables } from "./worker-options.ts";

interface ResolveContext {
  conditions: readonly string[];
  parentURL?: string | undefined;
}
type NextResolve = (specifier: string, context: ResolveContext) => { url: string };

const nodeModule = Module as unknown as {
  registerHooks?: (hooks: {
    resolve: (specifier: string, context: ResolveContext, next: NextResolve) => object;
  }) => void;
  syncBuiltinESMExports: () => void;
  register: (loader: string | URL, options: object) => void;
};

// Node gives this to its own threads too, the one that runs the loader among them; only a script's worker has a parent.
const isScript = isMainThread || parentPort !== null;
// Bun has its own hook, should it ever read NODE_OPTIONS.
if (isScript && process.versions.bun === undefined) {
  const env = { ...process.env };
  if (env.CSP_TREE !== undefined && env.CSP_TREE !== "") install(env.CSP_TREE, env);
}

function install(tree: string, env: NodeJS.ProcessEnv): void {
  const places = placesOf(tree);
  const typescript = Boolean((process.features as { typescript?: unknown }).typescript);
  const resolver = nodeResolver({
    places,
    explain: importExplainer(env),
    exists: existsSync,
    isBuiltin: Module.isBuiltin,
    typescript,
  });
  hookRequire(resolver, places.modules);
  hookThreads(env);
  const main = process.argv[1];
  if (main !== undefined) resolver.check(main, "", main, "import");
  if (nodeModule.registerHooks !== undefined) {
    nodeModule.registerHooks({
      resolve(specifier, context, next) {
        // A require comes by here on its way to `_resolveFilename`.
        if (context.conditions.includes("require")) return next(specifier, context);
        const { result, check } = resolveImport(resolver, specifier, context, next);
        check(result);
        return result;
      },
    });
    return;
  }
  const info = readRunInfo(env.CSP_RUN_INFO);
  if (info !== undefined) nodeModule.register(pathToFileURL(info.nodeLoader), { data: { tree, typescript, env } });
}

/** A worker with an environment of its own gets the hook as well. */
function hookThreads(env: NodeJS.ProcessEnv): void {
  const threads = require("node:worker_threads") as unknown as { Worker: WorkerClass };
  threads.Worker = class Worker extends threads.Worker {
    constructor(file: unknown, options?: WorkerOptions) {
      super(file, withHookVariables(options, env));
    }
  };
  nodeModule.syncBuiltinESMExports();
}

function hookRequire(resolver: NodeResolver, modules: string): void {
  const original = internals._resolveFilename;
  const resolveFilename: ResolveFilename = function (this: unknown, request, parent, isMain, options) {
    if (typeof request !== "string") return original.call(this, request, parent, isMain, options);
    const importer = (typeof parent === "string" ? parent : parent?.filename) ?? "";
    // `paths` is where a package looks for what belongs to its user.
    const asked = options?.paths?.map((path) => `${path}/csp-run.js`) ?? [importer];
    const place = asked.find((path) => resolver.from(request, path) !== path) ?? asked[0] ?? importer;
    try {
      const file =
        resolver.from(request, place) === place
          ? original.call(this, request, parent, isMain, options)
          : original.call(this, request, { id: modules, filename: `${modules}/csp-run.js`, paths: [modules] }, false);
      resolver.check(request, place, file, "require");
      return file;
    } catch (error) {
      throw resolver.failure(request, place, error, "require");
    }
  };
  internals._resolveFilename = resolveFilename;
}
