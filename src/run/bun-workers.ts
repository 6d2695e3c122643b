/** Workers, under Bun: they do not inherit `--preload`. Runs inside the script's process. */
import type { BunResolver } from "./bun-resolve.ts";
import { packageOf } from "./places.ts";
import { type WorkerClass, type WorkerOptions, withHookVariables } from "./worker-options.ts";

export interface WorkerHook {
  /** To be called before a built-in module is handed out. `node:worker_threads` costs 3 ms, so it is changed then. */
  beforeBuiltin(specifier: string): void;
}

interface WorkerHookParts {
  /** Path of the preloaded hook. */
  hook: string;
  /** The environment the process was started with. */
  env: NodeJS.ProcessEnv;
  resolver: BunResolver;
}

/** Gives every worker the hook, whatever environment the script gives it. */
export function hookWorkers(parts: WorkerHookParts): WorkerHook {
  let threads: { Worker: WorkerClass } | undefined;

  function hooked(Base: WorkerClass): WorkerClass {
    return class Worker extends Base {
      constructor(url: unknown, options?: WorkerOptions) {
        super(target(url, options), withHook(options));
      }
    };
  }

  function withHook(options: WorkerOptions | undefined): WorkerOptions {
    return { ...withHookVariables(options, parts.env), preload: [parts.hook, ...[options?.preload ?? []].flat()] };
  }

  /** A bare name is a file of the working directory or else, as for an import, a package. */
  function target(url: unknown, options: WorkerOptions | undefined): unknown {
    if (typeof url !== "string" || options?.eval === true || packageOf(url) === undefined) return url;
    const { existsSync } = require("node:fs") as typeof import("node:fs");
    return existsSync(url) ? `./${url}` : parts.resolver.find(url, "", "import");
  }

  globalThis.Worker = hooked(globalThis.Worker as unknown as WorkerClass) as unknown as typeof Worker;
  return {
    beforeBuiltin(specifier) {
      if (threads !== undefined || !/^(?:node:)?worker_threads$/.test(specifier)) return;
      threads = {} as { Worker: WorkerClass };
      threads = require("node:worker_threads") as unknown as { Worker: WorkerClass };
      threads.Worker = hooked(threads.Worker);
    },
  };
}
