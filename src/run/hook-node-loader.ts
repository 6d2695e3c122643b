/** Answers import() in a Node without `module.registerHooks`, where that is done by a thread of its own. */
import { existsSync } from "node:fs";
import { isBuiltin } from "node:module";
import { importExplainer } from "./explain.ts";
import { type NodeResolver, nodeResolver, resolveImport } from "./node-resolve.ts";
import { placesOf } from "./places.ts";

interface LoaderData {
  tree: string;
  typescript: boolean;
  env: NodeJS.ProcessEnv;
}
type Context = { parentURL?: string | undefined };
type Next = (specifier: string, context: Context) => Promise<{ url: string }>;

const state: { resolver?: NodeResolver } = {};

/** Called by Node with what the hook registered. */
export function initialize({ tree, typescript, env }: LoaderData): void {
  state.resolver = nodeResolver({
    places: placesOf(tree),
    explain: importExplainer(env),
    exists: existsSync,
    isBuiltin,
    typescript,
  });
}

/** Called by Node for every import. */
export async function resolve(specifier: string, context: Context, next: Next): Promise<object> {
  if (state.resolver === undefined) return next(specifier, context);
  const { result, check, failure } = resolveImport(state.resolver, specifier, context, next);
  let found: { url: string };
  try {
    found = await result;
  } catch (error) {
    throw failure(error);
  }
  check(found);
  return found;
}
