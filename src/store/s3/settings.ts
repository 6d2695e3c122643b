/** Where a bucket is and how it is reached: address, environment and profile together, in the order the AWS tools have. */
import { readFileSync } from "node:fs";
import { quoted } from "../../core/quote.ts";
import { createHttp, type Http, type HttpOptions } from "../../net/http.ts";
import { proxyFromEnvironment } from "../../net/proxy.ts";
import { unusableSettings } from "../failures.ts";
import type { StoreOptions } from "../store.ts";
import { parseEndpoint, parseRegion, type S3Address } from "./address.ts";
import type { Profiles } from "./profiles.ts";
import { awsEncoded } from "./sign.ts";

export interface S3Settings {
  /** Undefined: Amazon's own, whose host follows from the region. */
  endpoint: URL | undefined;
  region: string;
  /** The bucket is a part of the path, not of the host. */
  pathStyle: boolean;
}

/** Throws CSP_STORE_ADDRESS where an endpoint or region in the environment or the profile is none. */
export function s3Settings(address: S3Address, profiles: Profiles, env: StoreOptions["env"]): S3Settings {
  const profile = profiles.profile(profiles.name);
  const endpoint = address.endpoint ?? configuredEndpoint("s3", profiles, env);
  const region = address.region ?? configuredRegion(profiles, env) ?? "us-east-1";
  const style = profile?.get("s3.addressing_style");
  const asked = address.pathStyle ?? (style === "path" ? true : style === "virtual" ? false : undefined);
  const amazon = endpoint === undefined || /(?:^|\.)amazonaws\.com(?:\.cn)?$/.test(endpoint.hostname);
  // A certificate for *.s3.… does not cover a bucket with dots in its name.
  const canBeHost = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])$/.test(address.bucket);
  return { endpoint, region, pathStyle: asked ?? !(amazon && canBeHost) };
}

/** The region of the environment or the profile. */
export function configuredRegion(profiles: Profiles, env: StoreOptions["env"]): string | undefined {
  for (const name of ["AWS_REGION", "AWS_DEFAULT_REGION"]) {
    if (env[name]) return parseRegion(env[name], name);
  }
  const region = profiles.profile(profiles.name)?.get("region");
  return region ? parseRegion(region, `\`region\` of the profile ${quoted(profiles.name)}`) : undefined;
}

/** The endpoint of one service, by the environment or the profile. */
export function configuredEndpoint(
  service: "s3" | "sts",
  profiles: Profiles,
  env: StoreOptions["env"],
): URL | undefined {
  if (env.AWS_IGNORE_CONFIGURED_ENDPOINT_URLS?.toLowerCase() === "true") return undefined;
  for (const name of [`AWS_ENDPOINT_URL_${service.toUpperCase()}`, "AWS_ENDPOINT_URL"]) {
    if (env[name]) return parseEndpoint(env[name], name);
  }
  const profile = profiles.profile(profiles.name);
  const services = profile?.get("services");
  const own = services === undefined ? undefined : profiles.services(services)?.get(`${service}.endpoint_url`);
  const text = own ?? profile?.get("endpoint_url");
  return text ? parseEndpoint(text, `\`endpoint_url\` of the profile ${quoted(profiles.name)}`) : undefined;
}

/** The URL of a key, or of the bucket itself, where the bucket is in that region. */
export function urlOf(
  settings: S3Settings,
  bucket: string,
  region: string,
  key: string | undefined,
  query: Readonly<Record<string, string>> = {},
): URL {
  const suffix = region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
  const { protocol, host, pathname } = settings.endpoint ?? new URL(`https://s3.${region}.${suffix}`);
  const base = pathname.replace(/\/+$/, "");
  const origin = settings.pathStyle ? `${protocol}//${host}` : `${protocol}//${bucket}.${host}`;
  const path = [...(settings.pathStyle ? [bucket] : []), ...(key === undefined ? [] : key.split("/"))];
  const search = Object.entries(query).map(([name, value]) => `${awsEncoded(name)}=${awsEncoded(value)}`);
  const slash = path.length === 0 ? "/" : "";
  const whole = `${origin}${base}${slash}${path.map((part) => `/${awsEncoded(part)}`).join("")}`;
  return new URL(search.length === 0 ? whole : `${whole}?${search.join("&")}`);
}

/** HTTP by way of the proxies of the environment, with the authorities of AWS_CA_BUNDLE or the profile. */
export function s3Http(profiles: Profiles, options: StoreOptions): Http {
  const { env, signal } = options;
  const bundle = env.AWS_CA_BUNDLE || profiles.profile(profiles.name)?.get("ca_bundle") || undefined;
  const http: HttpOptions = {
    limits: options.timeouts ?? { idleMs: 30_000, totalMs: 600_000 },
    signal,
    proxy: proxyFromEnvironment(env),
    ...(bundle === undefined ? {} : { tls: { ca: [readAuthorities(bundle)] } }),
  };
  return createHttp(http);
}

function readAuthorities(path: string): string {
  const hint = "AWS_CA_BUNDLE, or `ca_bundle` in the profile, names a file of PEM certificates";
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "unknown reason";
    throw unusableSettings(`the certificates ${quoted(path)} cannot be read (${code})`, hint, cause);
  }
  if (!text.includes("-----BEGIN CERTIFICATE-----")) {
    throw unusableSettings(`${quoted(path)} holds no certificate`, hint);
  }
  return text;
}
