/** Which credentials are used: the order of the AWS command line, and renewal of those that expire. */
import { quoted } from "../../core/quote.ts";
import type { Http } from "../../net/http.ts";
import { unreachable, unusableSettings } from "../failures.ts";
import type { StoreOptions } from "../store.ts";
import { checkedCredentials } from "./keys.ts";
import { containerCredentials, instanceCredentials } from "./metadata.ts";
import { processCredentials } from "./process.ts";
import type { Profiles, Section } from "./profiles.ts";
import type { S3Credentials } from "./sign.ts";
import { assumeRole, type Role, webIdentityCredentials } from "./sts.ts";

/** All that the search for credentials may look at. */
export interface CredentialWorld {
  /** Of the store, for messages. */
  address: string;
  env: StoreOptions["env"];
  profiles: Profiles;
  /** The address names the profile: keys in the environment are not meant. */
  explicitProfile: boolean;
  /** Where temporary credentials are asked for. */
  sts: { endpoint: URL; region: string };
  /** For the token service. */
  http: Http;
  /** Without a proxy and with little patience, for services of the machine itself. */
  nearby: Http;
}

export interface CredentialSource {
  /** Good for some minutes more. One search serves all that ask at once. */
  current(): Promise<S3Credentials>;
  /** Other credentials than those the service refused; undefined where there are none. */
  other(refused: S3Credentials): Promise<S3Credentials | undefined>;
}

/** Renews five minutes before the end, or at half the lifetime of shorter ones; a failed renewal is tried again a minute later. */
export function createCredentialSource(
  search: () => Promise<S3Credentials | undefined>,
  failure: () => Error,
  now: () => number,
): CredentialSource {
  let held: S3Credentials | undefined;
  let renewAt = 0;
  let searching: Promise<S3Credentials> | undefined;

  const renew = (): Promise<S3Credentials> => {
    searching ??= (async () => {
      const found = await search();
      if (found === undefined) throw failure();
      held = found;
      const left = (found.expires ?? Number.POSITIVE_INFINITY) - now();
      renewAt = now() + Math.max(left - 300_000, left / 2);
      return found;
    })().finally(() => {
      searching = undefined;
    });
    return searching;
  };
  const current = async (): Promise<S3Credentials> => {
    if (held !== undefined && now() < renewAt) return held;
    try {
      return await renew();
    } catch (error) {
      if (held === undefined || now() >= (held.expires ?? 0)) throw error;
      renewAt = now() + 60_000;
      return held;
    }
  };
  return {
    current,
    async other(refused) {
      const found = held === refused ? await renew() : await current();
      const same = found.secretAccessKey === refused.secretAccessKey && found.sessionToken === refused.sessionToken;
      return same ? undefined : found;
    },
  };
}

/** The first that is configured; undefined where nothing is. Throws CSP_STORE_SETTINGS for what is configured and unusable. */
export async function findCredentials(world: CredentialWorld): Promise<S3Credentials | undefined> {
  const { env, profiles, explicitProfile } = world;
  return (
    (explicitProfile ? undefined : ofEnvironment(env)) ??
    (await ofProfile(world, profiles.name, new Set(), !explicitProfile)) ??
    (await containerCredentials(world)) ??
    (await instanceCredentials(world))
  );
}

/** What is said where nothing was found; `before` is true where there were credentials once. */
export function noCredentials(world: CredentialWorld, before: boolean): Error {
  if (before) return unreachable(world.address, "gets no new credentials for the ones that expire");
  return unusableSettings(
    `there are no credentials for the store \`${world.address}\``,
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    undefined,
    [
      `looked at the environment, the profile ${quoted(world.profiles.name)}, the container's credentials and the instance's`,
    ],
  );
}

function ofEnvironment(env: CredentialWorld["env"]): S3Credentials | undefined {
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: token } = env;
  if (!id && !secret) return undefined;
  return checkedCredentials({ id, secret, token }, "the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)");
}

async function ofProfile(
  world: CredentialWorld,
  name: string,
  seen: Set<string>,
  withEnvironment: boolean,
): Promise<S3Credentials | undefined> {
  const section = world.profiles.profile(name) ?? new Map();
  const again = seen.has(name);
  seen.add(name);
  const tokenFile = section.get("web_identity_token_file");
  if (section.has("role_arn") && tokenFile === undefined && !again) {
    return assumeRole(world, roleOf(world, name, section), await ofSource(world, name, section, seen));
  }
  if (withEnvironment && world.env.AWS_WEB_IDENTITY_TOKEN_FILE) {
    return webIdentityCredentials(world, world.env.AWS_WEB_IDENTITY_TOKEN_FILE, {
      arn: world.env.AWS_ROLE_ARN ?? "",
      session: world.env.AWS_ROLE_SESSION_NAME || "csp",
    });
  }
  if (tokenFile !== undefined) return webIdentityCredentials(world, tokenFile, roleOf(world, name, section));
  if (section.has("sso_session") || section.has("sso_start_url")) {
    throw unusableSettings(
      `the profile ${quoted(name)} signs in with SSO, which csp does not do`,
      `run \`eval "$(aws configure export-credentials --profile ${shellWord(name)} --format env)"\`, then the same command`,
    );
  }
  const process = section.get("credential_process");
  return (
    keysOf(world.profiles.credentials(name), name) ??
    (process === undefined ? undefined : await processCredentials(world, name, process)) ??
    keysOf(world.profiles.config(name), name)
  );
}

async function ofSource(
  world: CredentialWorld,
  name: string,
  section: Section,
  seen: Set<string>,
): Promise<S3Credentials> {
  const source = section.get("source_profile");
  const kind = section.get("credential_source");
  let found: S3Credentials | undefined;
  if (source !== undefined) found = await ofProfile(world, source, seen, false);
  else if (kind === "Environment") found = ofEnvironment(world.env);
  else if (kind === "EcsContainer") found = await containerCredentials(world);
  else if (kind === "Ec2InstanceMetadata") found = await instanceCredentials(world);
  if (found !== undefined) return found;
  throw unusableSettings(
    `the profile ${quoted(name)} has a \`role_arn\`, but nothing to assume that role with`,
    source === undefined
      ? "give it a `source_profile` or a `credential_source`"
      : `give the profile ${quoted(source)} credentials`,
  );
}

function roleOf(world: CredentialWorld, name: string, section: Section): Role {
  if (section.has("mfa_serial")) {
    throw unusableSettings(
      `the profile ${quoted(name)} wants a code of a second factor, for which csp does not ask`,
      `run \`eval "$(aws configure export-credentials --profile ${shellWord(name)} --format env)"\`, then the same command`,
    );
  }
  const seconds = section.get("duration_seconds");
  const externalId = section.get("external_id");
  return {
    arn: section.get("role_arn") ?? "",
    session: section.get("role_session_name") || world.env.AWS_ROLE_SESSION_NAME || "csp",
    ...(externalId === undefined ? {} : { externalId }),
    ...(seconds === undefined || !/^\d{1,6}$/.test(seconds) ? {} : { seconds: Number(seconds) }),
  };
}

function keysOf(section: Section | undefined, name: string): S3Credentials | undefined {
  const id = section?.get("aws_access_key_id");
  const secret = section?.get("aws_secret_access_key");
  if (id === undefined && secret === undefined) return undefined;
  return checkedCredentials({ id, secret, token: section?.get("aws_session_token") }, `the profile ${quoted(name)}`);
}

/** The name in a command to paste. */
function shellWord(name: string): string {
  return /^[\w.@+-]{1,80}$/.test(name) ? name : "<profile>";
}
