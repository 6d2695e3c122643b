/** How to reach a URL: proxy and certificates, by npm's settings and the usual environment variables. */
import { readFileSync } from "node:fs";
import { isExcepted } from "../net/proxy.ts";
import { prefixes } from "./credentials.ts";
import type { Environment } from "./npmrc.ts";
import { invalidSetting, type Settings } from "./settings.ts";

export interface TlsOptions {
  /** PEM texts that replace the built-in authorities. */
  ca?: readonly string[];
  cert?: string;
  key?: string;
  rejectUnauthorized?: boolean;
}

export interface Transport {
  /** May hold the proxy's own credentials: never for messages. */
  proxy: string | undefined;
  tls: TlsOptions | undefined;
}

export interface Transports {
  /** Throws CSP_NPMRC_INVALID where a setting that this URL needs cannot be used. */
  forUrl(url: URL): Transport;
  /** The text of the PEM file that a key names; undefined where the key is absent. */
  read(key: string): string | undefined;
}

/** Files are read once, when the first URL needs them. */
export function createTransports(settings: Settings): Transports {
  const files = new Map<string, string>();
  const byOrigin = new Map<string, Transport>();
  const perHost = [...settings.keys()].some((key) => /^\/\/.*:(certfile|keyfile|cafile)$/.test(key));

  const read = (key: string): string | undefined => {
    const path = settings.text(key, false);
    if (path === undefined) return undefined;
    const file = settings.path(path);
    let text = files.get(file);
    if (text === undefined) {
      text = readPem(settings, key, file);
      files.set(file, text);
    }
    return text;
  };

  const tlsFor = (url: URL): TlsOptions | undefined => {
    if (url.protocol !== "https:") return undefined;
    const tls: TlsOptions = {};
    const ca = authorities(settings, url, read);
    if (ca.length > 0) tls.ca = ca;
    for (const prefix of perHost ? prefixes(url) : []) {
      const cert = read(`${prefix}:certfile`);
      const key = read(`${prefix}:keyfile`);
      if (cert === undefined || key === undefined) continue;
      tls.cert = cert;
      tls.key = key;
      break;
    }
    if (!checksCertificates(settings)) tls.rejectUnauthorized = false;
    return Object.keys(tls).length === 0 ? undefined : tls;
  };

  return {
    read,
    forUrl(url) {
      const known = byOrigin.get(url.origin);
      if (known) return known;
      const transport: Transport = { proxy: proxyFor(settings, url), tls: tlsFor(url) };
      if (!perHost) byOrigin.set(url.origin, transport);
      return transport;
    },
  };
}

/** False, with a warning, where `strict-ssl=false` says so. */
export function checksCertificates(settings: Settings): boolean {
  if (settings.flag("strict-ssl") !== false) return true;
  settings.warn("`strict-ssl` is `false`: anybody between here and the registry can read tokens and change answers");
  return false;
}

/** The PEM texts of top-level `ca` and `cafile`. */
export function commonAuthorities(settings: Settings, read: (key: string) => string | undefined): string[] {
  const file = read("cafile");
  const inline = settings.list("ca").map((text) => text.replaceAll("\\n", "\n"));
  return file === undefined ? inline : [...inline, file];
}

/** The proxy of each scheme and the exceptions, before any URL is matched against them. */
export interface ProxySettings {
  http: string | undefined;
  https: string | undefined;
  exceptions: readonly string[];
}

/** Settings win over `HTTP_PROXY` and its kin; a proxy that is `false` in the settings switches all off. */
export function proxySettings(settings: Settings): ProxySettings {
  const { env } = settings;
  const exceptions = (settings.list("noproxy").join(",") || variable(env, "no_proxy") || "")
    .split(",")
    .map((entry) => entry.trim().toLowerCase())
    .filter((entry) => entry !== "");
  const off = settings.flag("proxy") === false || settings.flag("https-proxy") === false;
  if (off) return { http: undefined, https: undefined, exceptions };
  const configured = { http: proxyUrl(settings, "proxy"), https: proxyUrl(settings, "https-proxy") };
  const all = variable(env, "all_proxy");
  return {
    http: configured.http ?? configured.https ?? variable(env, "http_proxy") ?? all,
    https: configured.https ?? configured.http ?? variable(env, "https_proxy") ?? all,
    exceptions,
  };
}

function proxyFor(settings: Settings, url: URL): string | undefined {
  const proxies = proxySettings(settings);
  const proxy = url.protocol === "https:" ? proxies.https : proxies.http;
  return proxy !== undefined && !isExcepted(url, proxies.exceptions) ? proxy : undefined;
}

function proxyUrl(settings: Settings, key: string): string | undefined {
  const text = settings.text(key, true);
  if (text === undefined) return undefined;
  const url = URL.parse(text.includes("://") ? text : `http://${text}`);
  const setting = settings.find(key);
  if (url && (url.protocol === "http:" || url.protocol === "https:")) return url.href;
  if (setting) throw invalidSetting(setting, "is not the URL of an HTTP proxy");
  return undefined;
}

function authorities(settings: Settings, url: URL, read: (key: string) => string | undefined): string[] {
  for (const prefix of prefixes(url)) {
    const own = read(`${prefix}:cafile`);
    if (own !== undefined) return [own];
  }
  return commonAuthorities(settings, read);
}

function readPem(settings: Settings, key: string, file: string): string {
  const setting = settings.find(key);
  let problem: string;
  try {
    const text = readFileSync(file, "utf8");
    if (text.includes("-----BEGIN ")) return text;
    problem = "names a file without PEM blocks";
  } catch (cause) {
    problem = `names a file that cannot be read (${(cause as NodeJS.ErrnoException).code ?? "unknown reason"})`;
  }
  if (!setting) throw new Error(`no setting \`${key}\``);
  throw invalidSetting(setting, problem, `looked at \`${file}\``);
}

function variable(env: Environment, lower: string): string | undefined {
  return env[lower] || env[lower.toUpperCase()] || undefined;
}
