/** Allowlist to lockfile: bun, in a private directory, with a private environment. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runBun } from "./bun-process.ts";
import type { ResolveFailure, ResolverRemark, Roots } from "./outcome.ts";
import { readOutput } from "./output.ts";
import { redactor, secretsOf } from "./redact.ts";

export interface ResolveRequest {
  roots: Roots;
  /** A valid bun.lock text without csp's own key; what it says is kept wherever the roots allow it. */
  previous: string | undefined;
  /** Configuration for bun: an npmrc whose credentials are `${CSP_TOKEN_n}`, and the variables with their values. */
  npm: { npmrc: string; env: Readonly<Record<string, string>> };
  /** Path of a bun executable, or of a csp that has bun built in. */
  bun: string;
  /** An existing, empty, private directory. It may lie anywhere; the caller removes it. */
  scratch: string;
  minimumReleaseAgeMs?: number | undefined;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

export type Resolution =
  | { kind: "resolved"; lock: string; warnings: ResolverRemark[] }
  | { kind: "failed"; failures: ResolveFailure[] };

const emptyLock = `{
  "lockfileVersion": 2,
  "configVersion": 1,
  "workspaces": {
    "": {},
  },
  "packages": {}
}
`;

/**
 * Resolves the roots and returns the text of a bun.lock, changing no more of `previous` than they demand.
 * Contacts the configured registries and, because bun cannot be kept from it, bare URLs that a package depends on.
 * Throws CSP_BUN_MISSING, the reason of an aborted `signal`, and errors of the file system; everything else that can
 * go wrong is a `failed` with all failures of the run.
 */
export async function resolve(request: ResolveRequest): Promise<Resolution> {
  const { roots, scratch, timeoutMs } = request;
  // Bun takes an empty set as an order to delete the lockfile.
  if (isEmpty(roots.dependencies) && isEmpty(roots.optionalDependencies)) {
    return { kind: "resolved", lock: emptyLock, warnings: [] };
  }
  const project = await prepare(request);
  const end = await runBun({
    bun: request.bun,
    args: bunArguments(request.minimumReleaseAgeMs),
    cwd: project,
    env: environment(request),
    timeoutMs,
    signal: request.signal,
  });
  const secrets = secretsOf(request.npm.env);
  const { failures, warnings } = readOutput(end.stderr.replaceAll(scratch, "…"), redactor(secrets));
  if (end.timedOut) return failed([...failures, { kind: "timeout", text: `bun did not end within ${timeoutMs} ms` }]);
  if (end.exit !== 0)
    return failed(failures, { kind: "unknown", text: `bun ended with ${end.signal ?? `status ${end.exit}`}` });
  if (failures.length > 0) return failed(failures);
  const lock = await readIfThere(join(project, "bun.lock"));
  if (lock === undefined) return failed([{ kind: "unknown", text: "bun ended without writing a lockfile" }]);
  // A registry that echoes a credential into its manifests would have csp publish it.
  if (secrets.some((secret) => secret.length >= 8 && lock.includes(secret))) {
    return failed([{ kind: "bad-answer", text: "the registry's answers hold the credential that was sent to it" }]);
  }
  return { kind: "resolved", lock, warnings };
}

/** Fills the scratch directory and returns the directory to run in. */
async function prepare({ roots, previous, npm, scratch }: ResolveRequest): Promise<string> {
  const project = join(scratch, "project");
  for (const directory of ["project", "home", "cache", "tmp"]) await mkdir(join(scratch, directory), { mode: 0o700 });
  // Bun looks for a workspace root in every directory above the project, and would write the lockfile there, or fail
  // on a broken package.json. It looks no further than the first one that has `workspaces`. For the same reason the
  // project has no name: a nameless package is never a member.
  await write(join(scratch, "package.json"), '{ "workspaces": [] }\n');
  await write(join(scratch, "npmrc"), npm.npmrc);
  const { dependencies, optionalDependencies } = roots;
  await write(join(project, "package.json"), `${JSON.stringify({ dependencies, optionalDependencies })}\n`);
  if (previous !== undefined) await write(join(project, "bun.lock"), previous);
  return project;
}

function bunArguments(minimumReleaseAgeMs: number | undefined): string[] {
  const args = ["install", "--lockfile-only", "--ignore-scripts", "--no-progress", "--no-summary"];
  args.push("--config=/dev/null", "--no-env-file");
  if (minimumReleaseAgeMs) args.push(`--minimum-release-age=${Math.ceil(minimumReleaseAgeMs / 1000)}`);
  return args;
}

/**
 * Everything bun gets to see. No PATH: what it would start from there is git, and those dependencies are refused.
 * Nothing of csp's own environment, so no NPM_CONFIG_REGISTRY, BUN_OPTIONS or ~/.npmrc of the machine takes part.
 */
function environment({ npm, scratch, timeoutMs }: ResolveRequest): Record<string, string> {
  const patience = httpPatience(timeoutMs);
  return {
    ...npm.env,
    HOME: join(scratch, "home"),
    XDG_CONFIG_HOME: join(scratch, "home"),
    TMPDIR: join(scratch, "tmp"),
    BUN_INSTALL_CACHE_DIR: join(scratch, "cache"),
    NPM_CONFIG_USERCONFIG: join(scratch, "npmrc"),
    BUN_CONFIG_HTTP_RETRY_COUNT: String(patience.retries),
    BUN_CONFIG_HTTP_IDLE_TIMEOUT: String(patience.idleSeconds),
    // A compiled csp is its own bun; a plain bun ignores this.
    BUN_BE_BUN: "1",
    // Dies with csp, also when csp is killed.
    BUN_FEATURE_FLAG_NO_ORPHANS: "1",
    DO_NOT_TRACK: "1",
    NO_COLOR: "1",
    // Not an address, so a `github:` dependency fails at once and offline. Such dependencies are refused anyway.
    GITHUB_API_URL: "refused",
  };
}

/**
 * Retries and seconds of silence such that bun itself gives up on a hanging registry, and names the package, before
 * the limit for the whole run. Bun ends a silent request up to 8 s after the time that was set.
 */
function httpPatience(timeoutMs: number): { retries: number; idleSeconds: number } {
  const seconds = timeoutMs / 1000;
  const retries = Math.min(4, Math.max(0, Math.floor(seconds / 18) - 1));
  return { retries, idleSeconds: Math.max(1, Math.floor(seconds / (retries + 1) - 9)) };
}

/** `otherwise` only speaks where the output named no reason. */
function failed(failures: ResolveFailure[], otherwise?: ResolveFailure): Resolution {
  return { kind: "failed", failures: failures.length === 0 && otherwise ? [otherwise] : failures };
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function write(path: string, text: string): Promise<void> {
  return writeFile(path, text, { mode: 0o600, flag: "wx" });
}

function isEmpty(record: Readonly<Record<string, string>>): boolean {
  return Object.keys(record).length === 0;
}
