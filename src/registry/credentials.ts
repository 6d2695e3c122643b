/**
 * Which credentials belong to a URL. npm keys them by host and path (`//host/path/:_authToken`); the longest path that
 * is a prefix of the URL's, segment by segment, wins.
 */
import { describeSetting, invalidSetting, type Settings } from "./settings.ts";

export interface Credentials {
  /** The value of the `Authorization` header. */
  header: string;
  kind: "token" | "basic";
  /** `//host/path/`: the only place these credentials may be sent to. */
  prefix: string;
  /** Where they were configured, for messages: key and file, never the value. */
  source: string;
}

/**
 * Gives a function that finds the credentials for a URL, or undefined; it throws CSP_NPMRC_INVALID where the ones a URL
 * needs cannot be used. It is asked for every tarball, so what a prefix holds is worked out once.
 */
export function createCredentialLookup(settings: Settings): (url: URL) => Credentials | undefined {
  const candidates = new Set<string>();
  for (const key of settings.keys()) {
    const prefix = /^(\/\/.+):(?:_authToken|_auth|_password)$/.exec(key)?.[1];
    if (prefix !== undefined) candidates.add(prefix);
  }
  const known = new Map<string, Credentials>();
  return (url) => {
    if (candidates.size === 0) return undefined;
    for (const prefix of prefixes(url)) {
      if (!candidates.has(prefix)) continue;
      const found =
        known.get(prefix) ?? tokenAt(settings, prefix) ?? authAt(settings, prefix) ?? passwordAt(settings, prefix);
      if (!found) continue;
      known.set(prefix, found);
      return found;
    }
    return undefined;
  };
}

/** True where a URL lies under a credential's prefix. */
export function isUnderPrefix(prefix: string, url: URL): boolean {
  for (const candidate of prefixes(url)) if (candidate === prefix) return true;
  return false;
}

/** The key that would hold a token for a URL's registry, as a user must write it. */
export function tokenKey(registryUrl: string): string {
  const url = new URL(registryUrl);
  return `//${url.host}${url.pathname.endsWith("/") ? url.pathname : `${url.pathname}/`}:_authToken`;
}

/** `//host/a/b`, `//host/a/`, `//host/a`, `//host/`, `//host`: npm's way up. */
export function* prefixes(url: URL): Generator<string> {
  let key = `//${url.host}${url.pathname}`;
  while (key.length > 2) {
    yield key;
    key = key.endsWith("/") ? key.slice(0, -1) : key.slice(0, key.lastIndexOf("/") + 1);
  }
}

/** Remarks on credentials that npm no longer sends because they name no registry. */
export function warnOfBareCredentials(settings: Settings): void {
  for (const key of ["_authToken", "_auth", "_password"]) {
    const setting = settings.find(key) ?? settings.find(key.toLowerCase());
    if (!setting) continue;
    settings.warn(
      `${describeSetting(setting)} is ignored because it does not say for which registry it is`,
      `write it as \`//host/path/:${key}\``,
    );
  }
}

function tokenAt(settings: Settings, prefix: string): Credentials | undefined {
  const key = `${prefix}:_authToken`;
  const token = settings.text(key, true);
  return token === undefined ? undefined : credentials(settings, key, prefix, "token", `Bearer ${token}`);
}

function authAt(settings: Settings, prefix: string): Credentials | undefined {
  const key = `${prefix}:_auth`;
  const auth = settings.text(key, true);
  if (auth === undefined) return undefined;
  requireBase64(settings, key, auth);
  return credentials(settings, key, prefix, "basic", `Basic ${auth}`);
}

function passwordAt(settings: Settings, prefix: string): Credentials | undefined {
  const key = `${prefix}:_password`;
  if (!settings.find(key) || !settings.find(`${prefix}:username`)) return undefined;
  const user = settings.text(`${prefix}:username`, true);
  const password = settings.text(key, true);
  if (user === undefined || password === undefined) return undefined;
  requireBase64(settings, key, password);
  const pair = Buffer.concat([Buffer.from(`${user}:`), Buffer.from(password, "base64")]);
  return credentials(settings, key, prefix, "basic", `Basic ${pair.toString("base64")}`);
}

function credentials(
  settings: Settings,
  key: string,
  prefix: string,
  kind: Credentials["kind"],
  header: string,
): Credentials {
  const setting = settings.find(key);
  if (setting && !/^[\x21-\x7e]+ [\x21-\x7e]+$/.test(header)) {
    throw invalidSetting(setting, "holds characters that cannot be sent in a header", "check for spaces and quotes");
  }
  return { header, kind, prefix, source: setting ? describeSetting(setting) : `\`${key}\`` };
}

function requireBase64(settings: Settings, key: string, text: string): void {
  const setting = settings.find(key);
  if (setting && !/^[A-Za-z0-9+/_-]+={0,2}$/.test(text)) {
    throw invalidSetting(setting, "is not base64", "encode it: `printf %s 'the password' | base64`");
  }
}
