/** The environment of a script: the user's, without csp's secrets, with the hooks that children inherit. */
import { CspError } from "../core/errors.ts";
import type { CodeFile } from "./code-file.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface EnvironmentParts {
  /** The environment csp was started with. */
  env: Environment;
  /** Names that csp used for itself: token variables of the npm configuration, store credentials. */
  drop: readonly string[];
  /** Real path of the tree. */
  tree: string;
  /** Scratch directory of the run; holds `run.json` and `tsconfig.json`. */
  scratch: string;
  /** True where packages could find a `node_modules` above the data directory, see bun-guard.ts. */
  guard: boolean;
  /** Path of the hook that Bun preloads. */
  bunHook: string;
  /** Path of the hook that Node requires; without one Node children are on their own. */
  nodeHook: string | undefined;
  /** The main module, where it is a copy of another place. */
  code: CodeFile | undefined;
}

/** What would load code, look packages up elsewhere or name an open file that the script does not get. */
const loaders = [
  "BUN_OPTIONS",
  "BUN_INSPECT_PRELOAD",
  "NODE_OPTIONS",
  "NODE_PATH",
  "NODE_CHANNEL_FD",
  "NODE_PRESERVE_SYMLINKS",
  "NODE_PRESERVE_SYMLINKS_MAIN",
];

/** npm's credentials given as variables, and everything of csp's own that is named like a secret. */
const secret =
  /^npm_config_.*(?:_auth|_authtoken|_password|username)$|^(?:npm|node_auth|csp(?:_.*)?)_(?:token|secret|password|key|credentials?)$|^csp_store$/i;

/** Credentials that come beside a store which the environment names, by kind: they are meant for csp. */
const storeCredentials: readonly (readonly [kind: RegExp, names: readonly string[]])[] = [
  [
    /(?:^|\s)s3:/i,
    [
      "AWS_ACCESS_KEY_ID",
      "AWS_SECRET_ACCESS_KEY",
      "AWS_SESSION_TOKEN",
      "AWS_WEB_IDENTITY_TOKEN_FILE",
      "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
      "AWS_CONTAINER_CREDENTIALS_FULL_URI",
      "AWS_CONTAINER_AUTHORIZATION_TOKEN",
      "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    ],
  ],
  [/(?:^|\s)postgres(?:ql)?:/i, ["PGPASSWORD", "PGPASSFILE"]],
];

/** The script's environment. `CSP_TREE` and `CSP_RUN_DIR` are for scripts to read; `CSP_RUN_INFO` is the hooks'. */
export function scriptEnvironment(parts: EnvironmentParts): Record<string, string> {
  const { env, drop, tree, scratch } = parts;
  const stores = env.CSP_STORE ?? "";
  const credentials = storeCredentials.flatMap(([kind, names]) => (kind.test(stores) ? names : []));
  const dropped = new Set([...drop, ...loaders, ...credentials]);
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && !dropped.has(name) && !secret.test(name)) result[name] = value;
  }
  return Object.assign(result, {
    CSP_TREE: tree,
    CSP_RUN_DIR: scratch,
    CSP_RUN_INFO: `${scratch}/run.json`,
    ...(parts.code === undefined ? {} : { CSP_RUN_CODE: parts.code.path, CSP_RUN_CODE_FOR: parts.code.standsFor }),
    ...(parts.guard ? { CSP_RUN_GUARD: "1" } : {}),
    BUN_OPTIONS: bunOptions(parts),
    ...(parts.nodeHook === undefined ? {} : { NODE_OPTIONS: `--require=${nodeQuoted(parts.nodeHook)}` }),
  });
}

/**
 * Bun's options for the script and every Bun below it. The quoted ones come first and the bare flags last: Bun takes a
 * word that starts with a quote for the value of the bare flag before it.
 */
function bunOptions(parts: EnvironmentParts): string {
  const paths = [`--preload=${parts.bunHook}`, `--tsconfig-override=${parts.scratch}/tsconfig.json`];
  return [...paths.map(bunQuoted), "--config=/dev/null", "--no-env-file", "--no-install", "--no-macros"].join(" ");
}

function bunQuoted(option: string): string {
  if (!/[\s'"\\]/.test(option)) return option;
  if (!/['\\]/.test(option)) return `'${option}'`;
  if (!/["\\]/.test(option)) return `"${option}"`;
  throw new CspError("CSP_CONFIG", {
    message: "a script cannot be run from a data directory whose path holds a backslash or both kinds of quotes",
    hint: "choose another directory with `--data-dir`",
  });
}

function nodeQuoted(path: string): string {
  return /[\s"\\]/.test(path) ? `"${path.replace(/["\\]/g, "\\$&")}"` : path;
}
