/** Where a registry keeps a package's tarball, relative to the registry, so that a lockfile needs to name no host. */

/** What a tarball URL from a packument means for the configured registry. */
export interface TarballPlace {
  /**
   * Where the tarball is, relative to the registry's base, or with a leading `/` relative to its origin; undefined where
   * that is the usual place, and where the URL does not help (see `foreignHost`).
   */
  path: string | undefined;
  /**
   * The URL's host where it is not the registry's, or `""` where the URL is none or names a place that is not safe to
   * ask for. The usual place is then tried instead, and the host is worth a remark.
   */
  foreignHost: string | undefined;
}

/** `<name>/-/<base name>-<version>.tgz`, the place every npm registry understands. */
export function deriveTarballPath(name: string, version: string): string {
  const base = name.slice(name.indexOf("/") + 1);
  return `${name}/-/${base}-${version}.tgz`;
}

/**
 * Expresses a packument's tarball URL relative to the configured registry (whose URL ends with `/`).
 * Query and fragment are dropped: they may carry a signature. `http:` and `https:` on their default ports are one host,
 * because registries behind a proxy often name themselves wrongly; the configured scheme is what is used.
 */
export function relativeTarballPath(
  registryUrl: string,
  tarballUrl: string,
  name: string,
  version: string,
): TarballPlace {
  const registry = parseUrl(registryUrl);
  const tarball = parseUrl(tarballUrl);
  if (!registry || !tarball) return foreign("");
  if (registry.hostname !== tarball.hostname || registry.port !== tarball.port) {
    return foreign(tarball.host);
  }
  const underBase = tarball.pathname.startsWith(registry.pathname);
  const path = underBase ? tarball.pathname.slice(registry.pathname.length) : tarball.pathname;
  // `%2f` may be the only spelling that a registry routes, so only harmless encodings (`%40`) are the usual place.
  const usual = underBase && !/%2f/i.test(path) && decoded(path) === deriveTarballPath(name, version);
  if (usual) return { path: undefined, foreignHost: undefined };
  return isTarballPath(path) ? { path, foreignHost: undefined } : foreign("");
}

/**
 * The URL to fetch a package's bytes from. `path` is as `relativeTarballPath` gives it; undefined where it would leave
 * the registry's origin (or, when relative, the registry's base) or is not a plain path.
 */
export function tarballUrl(
  registryUrl: string,
  name: string,
  version: string,
  path: string | undefined,
): string | undefined {
  const relative = path ?? deriveTarballPath(name, version);
  const registry = parseUrl(registryUrl);
  if (!registry || !isTarballPath(relative)) return undefined;
  // Joined as text: `new URL(relative, base)` would read `a:b` as a scheme and `//host` as a host.
  const url = parseUrl(relative.startsWith("/") ? registry.origin + relative : registry.href + relative);
  if (!url || url.origin !== registry.origin) return undefined;
  if (!relative.startsWith("/") && !url.pathname.startsWith(registry.pathname)) return undefined;
  return url.href;
}

/** True for a path without scheme, host, query, empty or dot segments, backslashes, or a second layer of encoding. */
export function isTarballPath(path: string): boolean {
  if (path.length > 2048 || !/^[A-Za-z0-9\-._~!$&'()*+,;=:@%/]+$/.test(path)) return false;
  const plain = decoded(path);
  if (plain === undefined || /[\\\x00-\x1f\x7f?#]|%[0-9a-f]{2}/i.test(plain)) return false;
  const segments = (plain.startsWith("/") ? plain.slice(1) : plain).split("/");
  return segments.every((segment) => segment !== "" && segment !== "." && segment !== "..");
}

function foreign(host: string): TarballPlace {
  return { path: undefined, foreignHost: host };
}

function decoded(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

function parseUrl(text: string): URL | undefined {
  const url = URL.parse(text);
  return url && (url.protocol === "http:" || url.protocol === "https:") ? url : undefined;
}
