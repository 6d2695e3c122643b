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
import { codeFileOf } from "./code-file.ts";
import { importExplainer } from "./explain.ts";
import { internals, requireLookup } from "./module-internals.ts";
import { placesOf } from "./places.ts";

const tree = process.env.CSP_TREE;
if (tree !== undefined && tree !== "") await install(tree);

async function install(tree: string): Promise<void> {
  const places = placesOf(tree);
  const resolveSync = Bun.resolveSync;
  const env = { ...process.env };
  const code = codeFileOf(env);
  const resolver = bunResolver({
    places,
    explain: importExplainer(env),
    lookup: {
      import: (specifier, directory) => resolveSync(specifier, directory),
      require: requireLookup(internals._resolveFilename),
    },
    exists,
  });
  const guard =
    env.CSP_RUN_GUARD === undefined
      ? undefined
      : packageGuard({
          places,
          isBuiltin,
          exists,
          lookup: (specifier, directory) => resolveSync(specifier, directory),
        });
  const sources = userSources({ places, isBuiltin, guard, code });
  const workers = hookWorkers({ hook: import.meta.path, env, resolver });
  hookRequire({ places, resolver, sources, workers, isBuiltin, code });
  hookImports({ places, resolver, sources, workers, isBuiltin, code });
  await sources.prepareMain();
}

function exists(path: string): boolean {
  return (require("node:fs") as typeof import("node:fs")).existsSync(path);
}

/** Bun has modules of its own for some packages; those names count as packages, which the tree must hold. */
function isBuiltin(specifier: string): boolean {
  return Module.isBuiltin(specifier) && specifier !== "ws" && specifier !== "undici";
}
