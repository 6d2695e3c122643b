/** The npm registry as csp uses it: packuments and tarballs, within limits, with the user's configuration. */
import { CspError } from "../core/errors.ts";
import { checkRegistryName } from "../core/package-name.ts";
import { quoted } from "../core/quote.ts";
import { createWatchdog, type TimeLimits } from "../net/watchdog.ts";
import type { NpmConfiguration } from "./config.ts";
import { fetchPackument, type Packument } from "./packument.ts";
import type { RequestContext } from "./request.ts";
import { askTarballSize, fetchTarball, openTarball, type TarballRequest, type TarballStream } from "./tarball.ts";

export interface RegistryClientOptions {
  configuration: NpmConfiguration;
  userAgent: string;
  /** True refuses every request with CSP_OFFLINE before a socket is opened. */
  offline?: boolean;
  /** Default: silence as npm's `fetch-timeout` says, else 30 s; 10 minutes for one request with its body. */
  timeouts?: TimeLimits;
  /** How often a request is repeated after a failure that may pass. Default: npm's `fetch-retries`, else 3. */
  retries?: number;
  /** Pauses between tries double from `baseMs` up to `maxMs`; each is shortened at random by up to half. */
  backoff?: { baseMs: number; maxMs: number };
  /** Ends all requests; they then throw its reason. */
  signal?: AbortSignal;
}

export interface ByteLimit {
  /** A longer answer is CSP_REGISTRY_ANSWER, before it is read where its length is announced. */
  maxBytes: number;
}

/**
 * All methods throw CSP_REGISTRY_AUTH, _NOT_FOUND, _UNREACHABLE, _ANSWER, CSP_OFFLINE, or CSP_NPMRC_INVALID about a
 * setting they need. None limits how many requests run at once.
 */
export interface RegistryClient {
  packument(name: string, options: { full: boolean }): Promise<Packument>;
  /** The whole tarball in an ArrayBuffer of its own; not checked against any hash. */
  tarballBytes(pkg: TarballRequest, limit: ByteLimit): Promise<Uint8Array>;
  /** For bytes that are not to be held in memory. */
  tarball(pkg: TarballRequest, limit: ByteLimit): Promise<TarballStream>;
  /** Announced size in bytes, or undefined where the registry does not say. */
  tarballSize(pkg: TarballRequest): Promise<number | undefined>;
}

export function createRegistryClient(options: RegistryClientOptions): RegistryClient {
  const { limits } = options.configuration;
  const timeouts = options.timeouts ?? { idleMs: limits.fetchTimeoutMs ?? 30_000, totalMs: 600_000 };
  const context: RequestContext = {
    configuration: options.configuration,
    userAgent: options.userAgent,
    offline: options.offline === true,
    limits: timeouts,
    retries: options.retries ?? limits.fetchRetries ?? 3,
    backoff: options.backoff ?? { baseMs: 200, maxMs: 10_000 },
    watchdog: createWatchdog(timeouts, options.signal),
    signal: options.signal,
  };
  return {
    packument: async (name, { full }) => fetchPackument(context, checked(name), { full }),
    tarballBytes: async (pkg, { maxBytes }) => fetchTarball(context, pkg, maxBytes),
    tarball: async (pkg, { maxBytes }) => openTarball(context, pkg, maxBytes),
    tarballSize: async (pkg) => askTarballSize(context, pkg),
  };
}

/** The last guard before a name becomes part of a URL. */
function checked(name: string): string {
  const reason = checkRegistryName(name);
  if (reason === undefined) return name;
  throw new CspError("CSP_NAME_INVALID", { message: `${quoted(name)} is not a name of a registry package: ${reason}` });
}
