/** The registry as the user's npm configuration and the allowlist describe it. */
import type { Allowlist } from "../core/allowlist.ts";
import { createRegistryClient, type RegistryClient } from "../registry/client.ts";
import { loadNpmConfiguration, type NpmConfiguration } from "../registry/config.ts";
import type { Context } from "./context.ts";

export interface Registry {
  configuration: NpmConfiguration;
  client: RegistryClient;
}

/** Reads the configuration; no request is made. Its warnings come when a setting is used. */
export function openRegistry(ctx: Context, allowlist: Pick<Allowlist, "registry">): Registry {
  const { url, scopes } = allowlist.registry;
  const configuration = loadNpmConfiguration({
    projectDir: ctx.project.directory,
    home: ctx.home,
    env: ctx.env,
    override: { ...(url === undefined ? {} : { url }), scopes },
    trustProject: ctx.trustProject,
    onWarning: ctx.warn,
  });
  const client = createRegistryClient({
    configuration,
    userAgent: `csp/${ctx.version}`,
    offline: ctx.offline,
    signal: ctx.signal,
  });
  return { configuration, client };
}

/** Where a package's tarball is, for the registry client. */
export function place(pkg: { name: string; version: string; tarball?: string | undefined }): {
  name: string;
  version: string;
  path?: string;
} {
  return { name: pkg.name, version: pkg.version, ...(pkg.tarball === undefined ? {} : { path: pkg.tarball }) };
}
