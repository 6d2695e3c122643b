/** Stores in a bucket of S3 or of a service that speaks its protocol. */
import { createHttp } from "../net/http.ts";
import { parseS3Address } from "./s3/address.ts";
import { s3Blobs } from "./s3/blobs.ts";
import { createS3Client } from "./s3/client.ts";
import { type CredentialWorld, createCredentialSource, findCredentials, noCredentials } from "./s3/credentials.ts";
import { probe } from "./s3/probe.ts";
import { readProfiles } from "./s3/profiles.ts";
import { s3Root } from "./s3/root.ts";
import { configuredEndpoint, configuredRegion, s3Http, s3Settings } from "./s3/settings.ts";
import { type Capabilities, randomNonce, type Store, type StoreOptions } from "./store.ts";

/**
 * Opens `s3://bucket/prefix[?endpoint=…&region=…&pathStyle=true&profile=…]` with the settings and credentials that the AWS
 * tools would use. Makes no request, and no bucket ever. `pageSize` is for tests. Throws CSP_STORE_ADDRESS, and
 * CSP_STORE_SETTINGS for configuration files that cannot be used.
 */
export function openS3Store(text: string, options: StoreOptions, pageSize = 1000): Store {
  const { env, signal, userAgent } = options;
  const address = parseS3Address(text);
  const profiles = readProfiles(address.profile, options);
  const settings = s3Settings(address, profiles, env);
  const http = s3Http(profiles, options);
  const world: CredentialWorld = {
    address: address.text,
    env,
    profiles,
    explicitProfile: address.profile !== undefined,
    sts: tokenService(address.region ?? configuredRegion(profiles, env), configuredEndpoint("sts", profiles, env)),
    http,
    nearby: createHttp({ limits: { idleMs: 1000, totalMs: 5000 }, signal }),
  };
  let found = false;
  const search = async () => {
    // Anew at each renewal: whoever keeps keys in these files renews them there.
    const credentials = await findCredentials({ ...world, profiles: readProfiles(address.profile, options) });
    found ||= credentials !== undefined;
    return credentials;
  };
  const credentials = createCredentialSource(search, () => noCredentials(world, found), Date.now);
  const client = createS3Client({ address, settings, credentials, http, userAgent, signal });

  let capabilities: Promise<Capabilities> | undefined;
  const remembered = (): Promise<Capabilities> => {
    capabilities ??= probe(client).catch((error: unknown) => {
      capabilities = undefined;
      throw error;
    });
    return capabilities;
  };
  return {
    kind: "s3",
    address: address.text,
    blobs: s3Blobs(client, pageSize),
    root: s3Root(client, remembered),
    capabilities: remembered,
    nonce: randomNonce,
    async close() {},
  };
}

/** Amazon's in the region, where the region is one of Amazon's; else the one that serves all. */
function tokenService(region: string | undefined, endpoint: URL | undefined): CredentialWorld["sts"] {
  if (region === undefined || !/^[a-z]{2}(?:-[a-z]+){1,3}-\d{1,2}$/.test(region)) {
    return { endpoint: endpoint ?? new URL("https://sts.amazonaws.com/"), region: region ?? "us-east-1" };
  }
  const suffix = region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
  return { endpoint: endpoint ?? new URL(`https://sts.${region}.${suffix}/`), region };
}
