/**
 * Preloaded by Bun into every process and worker of a run (`--preload`). Answers the imports of the user's code from the
 * tree in `CSP_TREE` and leaves the packages' own imports to Bun. Loads next to nothing unless an import needs it: this
 * is the start-up time of every run.
 */
import Module from "node:module";
import { packageGuard } from "./bun-guard.ts";
import { hookImports } from "./bun-imports.ts";
import { hookRequire } from "./bun-require.ts";
import { bunResolver } from "./bun-resolve.ts";
import { userSources } from "./bun-sources.ts";
import { hookWorkers } from "./bun-workers.ts";
import { importExplainer } from "./explain.ts";
import { internals, requireLookup } from "./module-internals.ts";
import { placesOf } from "./places.ts";

const tree = process.env.CSP_TREE;
if (tree !== undefined && tree !== "") await install(tree);

async function install(tree: string): Promise<void> {
  const places = placesOf(tree);
  const resolveSync = Bun.resolveSync;
  const resolver = bunResolver({
    places,
    explain: importExplainer({ ...process.env }),
    lookup: {
      import: (specifier, directory) => resolveSync(specifier, directory),
      require: requireLookup(internals._resolveFilename),
    },
    exists,
  });
  const guard =
    process.env.CSP_RUN_GUARD === undefined
      ? undefined
      : packageGuard({
          places,
          isBuiltin,
          exists,
          lookup: (specifier, directory) => resolveSync(specifier, directory),
        });
  const sources = userSources({ places, isBuiltin, guard });
  const workers = hookWorkers({ hook: import.meta.path, env: hookEnvironment(), resolver });
  hookRequire({ places, resolver, sources, workers, isBuiltin });
  hookImports({ places, resolver, sources, workers, isBuiltin });
  await sources.prepareMain();
}

/** What a worker with an environment of its own must have besides. */
function hookEnvironment(): Record<string, string> {
  return Object.fromEntries(
    ["CSP_TREE", "CSP_RUN_INFO", "CSP_RUN_GUARD", "BUN_OPTIONS", "NODE_OPTIONS"].flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

function exists(path: string): boolean {
  return (require("node:fs") as typeof import("node:fs")).existsSync(path);
}

/** Bun has modules of its own for some packages; those names count as packages, which the tree must hold. */
function isBuiltin(specifier: string): boolean {
  return Module.isBuiltin(specifier) && specifier !== "ws" && specifier !== "undici";
}
