/** The user's npm configuration, by npm's rules: which registry, which credentials, which way there. */
import { defaultUrl } from "registry-url";
import { CspError, type Warning } from "../core/errors.ts";
import { type Credentials, createCredentialLookup, warnOfBareCredentials } from "./credentials.ts";
import { type ResolverConfiguration, resolverConfiguration } from "./resolver-npmrc.ts";
import { describeSetting, invalidSetting, loadSettings, type Settings, type SettingsInput } from "./settings.ts";
import { checksCertificates, commonAuthorities, createTransports, proxySettings, type Transport } from "./transport.ts";

export interface NpmConfigurationInput extends SettingsInput {
  /** What the allowlist says (scopes with their `@`); it wins over every file and over the environment. */
  override?: { url?: string; scopes?: ReadonlyMap<string, string> };
}

/** One registry in use, without secrets. */
export interface RegistryDescription {
  /** `@scope`, or undefined for the default registry. */
  scope: string | undefined;
  url: string;
  /** Where the URL was configured. */
  source: string;
  authentication: "token" | "basic" | "none" | "unusable";
}

export interface NpmConfiguration {
  /** The registry of a package; the URL ends with `/`. */
  registryFor(packageName: string): { url: string };
  /** The credentials that may be sent to this URL, or undefined. */
  credentialsFor(url: string | URL): Credentials | undefined;
  transportFor(url: string | URL): Transport;
  /** For diagnostics; a registry that cannot be used is left out and remarked on. */
  registries(): RegistryDescription[];
  /**
   * What bun needs to resolve. `names` are the packages asked for: the settings of their registries must be usable.
   * Another scope whose URL cannot be used is pointed at a name that never resolves, not at the default registry.
   */
  forResolver(names?: readonly string[]): ResolverConfiguration;
  /** npm's own request settings, where the user made some. */
  readonly limits: { fetchTimeoutMs?: number; fetchRetries?: number; maxSockets?: number };
  /** Grows while the configuration is used, as values are looked at only then. */
  readonly warnings: readonly Warning[];
}

/**
 * Reads environment, project, user and global configuration. Values are expanded when a request uses them, so each
 * method may throw CSP_NPMRC_INVALID about the setting it needs.
 */
export function loadNpmConfiguration(input: NpmConfigurationInput): NpmConfiguration {
  const settings = loadSettings(input);
  const transports = createTransports(settings);
  const findCredentials = createCredentialLookup(settings);
  const overrides = input.override ?? {};
  const urls = new Map<string, string>();
  warnOfBareCredentials(settings);

  /** `scope` is `@scope` or the empty string. */
  const registryOf = (scope: string): { url: string; source: string } | undefined => {
    const override = scope === "" ? overrides.url : overrides.scopes?.get(scope);
    const key = scope === "" ? "registry" : `${scope}:registry`;
    if (override !== undefined) return { url: overrideUrl(override), source: "the allowlist" };
    const setting = settings.find(key);
    if (setting === undefined || setting.raw === null) {
      return scope === "" ? { url: withSlash(defaultUrl), source: "npm's default" } : undefined;
    }
    const url = registryUrl(settings.text(key, true) ?? "");
    if (!url)
      throw invalidSetting(
        setting,
        "is not the URL of a registry",
        "write `https://host/path/`; credentials go into `//host/path/:_authToken`",
      );
    return { url, source: describeSetting(setting) };
  };

  const cachedUrl = (scope: string): string => {
    let url = urls.get(scope);
    if (url === undefined) {
      url = registryOf(scope)?.url ?? cachedUrl("");
      urls.set(scope, url);
    }
    return url;
  };

  const scopes = (): string[] => {
    const found = new Set(overrides.scopes?.keys());
    for (const key of settings.keys()) {
      const scope = /^(@[^/:\s]+):registry$/.exec(key)?.[1];
      if (scope !== undefined && settings.find(key)?.raw !== null) found.add(scope);
    }
    return [...found].sort();
  };

  const configuration: NpmConfiguration = {
    registryFor: (packageName) => ({ url: cachedUrl(scopeOf(packageName)) }),
    credentialsFor: (url) => findCredentials(asUrl(url)),
    transportFor: (url) => transports.forUrl(asUrl(url)),
    registries: () => describeRegistries(settings, ["", ...scopes()], registryOf, findCredentials),
    forResolver(names = []) {
      const needed = new Set(["", ...names.map(scopeOf)]);
      const scopeUrls = new Map<string, string>();
      const credentials = new Map<string, Credentials>();
      for (const scope of ["", ...scopes()]) {
        const use = (): void => {
          const url = cachedUrl(scope);
          if (scope !== "") scopeUrls.set(scope, url);
          const found = findCredentials(new URL(url));
          if (found) credentials.set(url, found);
        };
        if (needed.has(scope)) use();
        else attempt(settings, use, () => scopeUrls.has(scope) || scopeUrls.set(scope, unusableRegistry));
      }
      warnOfClientCertificates(settings);
      return resolverConfiguration({
        defaultRegistry: cachedUrl(""),
        scopes: scopeUrls,
        credentials,
        authorities: commonAuthorities(settings, transports.read),
        checksCertificates: checksCertificates(settings),
        proxies: proxySettings(settings),
        extraCertificates: settings.env.NODE_EXTRA_CA_CERTS || undefined,
      });
    },
    limits: requestLimits(settings),
    warnings: settings.warnings,
  };
  return configuration;
}

/** A name that never resolves (RFC 6761): a package of a scope that cannot be looked up must not come from elsewhere. */
const unusableRegistry = "https://registry-of-this-scope-cannot-be-used.invalid/";

function describeRegistries(
  settings: Settings,
  scopes: readonly string[],
  registryOf: (scope: string) => { url: string; source: string } | undefined,
  findCredentials: (url: URL) => Credentials | undefined,
): RegistryDescription[] {
  const described: RegistryDescription[] = [];
  for (const scope of scopes) {
    attempt(settings, () => {
      const found = registryOf(scope);
      if (!found) return;
      let authentication: RegistryDescription["authentication"] = "unusable";
      attempt(settings, () => {
        authentication = findCredentials(new URL(found.url))?.kind ?? "none";
      });
      described.push({ scope: scope || undefined, ...found, authentication });
    });
  }
  return described;
}

/** Runs `use`; a setting that cannot be used becomes a warning and `otherwise` runs. */
function attempt(settings: Settings, use: () => void, otherwise?: () => void): void {
  try {
    use();
  } catch (error) {
    if (!(error instanceof CspError) || error.code !== "CSP_NPMRC_INVALID") throw error;
    settings.warn(error.message, error.hint);
    otherwise?.();
  }
}

function warnOfClientCertificates(settings: Settings): void {
  for (const key of settings.keys()) {
    const setting = settings.find(key);
    if (setting && /^\/\/.*:(certfile|cafile)$/.test(key)) {
      settings.warn(`${describeSetting(setting)} is not used while resolving, because bun cannot`);
    }
  }
}

function requestLimits(settings: Settings): NpmConfiguration["limits"] {
  const integer = (key: string, least: number, most: number): number | undefined => {
    const setting = settings.find(key);
    if (!setting || setting.raw === null) return undefined;
    const value = typeof setting.raw === "string" && /^\d+$/.test(setting.raw) ? Number(setting.raw) : Number.NaN;
    if (value >= least && value <= most) return value;
    settings.warn(`${describeSetting(setting)} is ignored because it is not a whole number from ${least} to ${most}`);
    return undefined;
  };
  const fetchTimeoutMs = integer("fetch-timeout", 1, 86_400_000);
  const fetchRetries = integer("fetch-retries", 0, 100);
  const maxSockets = integer("maxsockets", 1, 1024);
  return {
    ...(fetchTimeoutMs === undefined ? {} : { fetchTimeoutMs }),
    ...(fetchRetries === undefined ? {} : { fetchRetries }),
    ...(maxSockets === undefined ? {} : { maxSockets }),
  };
}

function registryUrl(text: string): string | undefined {
  const url = URL.parse(text);
  if (!url || (url.protocol !== "http:" && url.protocol !== "https:")) return undefined;
  if (url.username || url.password || url.search || url.hash) return undefined;
  return withSlash(url.href);
}

function overrideUrl(text: string): string {
  const url = registryUrl(text);
  if (url) return url;
  throw new CspError("CSP_CONFIG", {
    message: "the registry in the allowlist is not a URL csp can use",
    hint: "write `https://host/path/` without user, password and query",
  });
}

function scopeOf(packageName: string): string {
  const slash = packageName.indexOf("/");
  return packageName.startsWith("@") && slash > 1 ? packageName.slice(0, slash) : "";
}

function asUrl(url: string | URL): URL {
  return typeof url === "string" ? new URL(url) : url;
}

function withSlash(url: string): string {
  return url.endsWith("/") ? url : `${url}/`;
}
