/** Where the hooks are: built ones beside the bundle, the sources in a checkout. */
import { existsSync } from "node:fs";
import { join } from "node:path";

export interface HookFiles {
  /** Preloaded by Bun. */
  bun: string;
  /** Required by Node. Plain JavaScript, so a checkout has none before `npm run build`: Node then cannot be the runtime. */
  node: string | undefined;
  /** Registered by the Node hook in a Node without `module.registerHooks`. */
  nodeLoader: string;
}

/** The hooks in the directory that holds this module, built or not. In a checkout Node's come from `dist`. */
export function hookFiles(directory: string = import.meta.dir): HookFiles {
  const source = join(directory, "hook-bun.ts");
  const built = existsSync(source) ? join(directory, "..", "..", "dist") : directory;
  const node = join(built, "hook-node.cjs");
  return {
    bun: existsSync(source) ? source : join(built, "hook-bun.js"),
    node: existsSync(node) ? node : undefined,
    nodeLoader: join(built, "hook-node-loader.mjs"),
  };
}
