/** Workers that a script gives an environment of their own. Runs inside the script's process. */

export type WorkerOptions = { preload?: string | string[]; env?: unknown; eval?: unknown } & Record<string, unknown>;
export type WorkerClass = new (file: unknown, options?: WorkerOptions) => object;

/** What the hooks read, and what brings them into children. */
const hookVariables = ["CSP_TREE", "CSP_RUN_INFO", "CSP_RUN_GUARD", "BUN_OPTIONS", "NODE_OPTIONS"];

/** The options with the variables of the hooks in the worker's own environment, if it has one. */
export function withHookVariables(
  options: WorkerOptions | undefined,
  env: NodeJS.ProcessEnv,
): WorkerOptions | undefined {
  const own = options?.env;
  if (typeof own !== "object" || own === null) return options;
  const hook = hookVariables.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]]));
  return { ...options, env: { ...own, ...Object.fromEntries(hook) } };
}
