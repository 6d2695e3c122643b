/**
 * The npm configuration that bun is given while it resolves: only what resolving needs, tokens only as references to
 * environment variables. bun 1.4.5 expands `${VAR}`, picks credentials by the longest path as npm does, and reads
 * `ca[]`, but ignores `proxy` and `strict-ssl` in the file, so these go into its environment.
 */
import { safe } from "ini";
import type { Credentials } from "./credentials.ts";
import type { ProxySettings } from "./transport.ts";

export interface ResolverInput {
  defaultRegistry: string;
  /** Scope with `@` → registry URL. */
  scopes: ReadonlyMap<string, string>;
  /** Credentials by registry URL. */
  credentials: ReadonlyMap<string, Credentials>;
  /** PEM texts. */
  authorities: readonly string[];
  checksCertificates: boolean;
  proxies: ProxySettings;
  /** Passed on as it is. */
  extraCertificates: string | undefined;
}

export interface ResolverConfiguration {
  /** Text of an npmrc without any secret. */
  npmrc: string;
  /** Variables the resolver's process needs; the values are secret. */
  env: Record<string, string>;
}

export function resolverConfiguration(input: ResolverInput): ResolverConfiguration {
  const env: Record<string, string> = {};
  const lines = [`registry=${safe(input.defaultRegistry)}`];
  for (const [scope, url] of [...input.scopes].sort(byKey)) lines.push(`${scope}:registry=${safe(url)}`);

  let count = 0;
  for (const [registry, found] of [...input.credentials].sort(byKey)) {
    const name = `CSP_TOKEN_${++count}`;
    const url = new URL(registry);
    env[name] = found.header.slice(found.header.indexOf(" ") + 1);
    lines.push(`//${url.host}${url.pathname}:${found.kind === "token" ? "_authToken" : "_auth"}=\${${name}}`);
  }
  for (const pem of input.authorities) lines.push(`ca[]=${JSON.stringify(pem)}`);

  const { http, https, exceptions } = input.proxies;
  if (http !== undefined) env.HTTP_PROXY = http;
  if (https !== undefined) env.HTTPS_PROXY = https;
  if (exceptions.length > 0) env.NO_PROXY = exceptions.join(",");
  if (input.extraCertificates !== undefined) env.NODE_EXTRA_CA_CERTS = input.extraCertificates;
  if (!input.checksCertificates) env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
  return { npmrc: `${lines.join("\n")}\n`, env };
}

function byKey(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0;
}
