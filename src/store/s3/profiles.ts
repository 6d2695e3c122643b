/** The files `~/.aws/config` and `~/.aws/credentials`: sections of settings, as the AWS tools read them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { quoted } from "../../core/quote.ts";
import { unusableSettings } from "../failures.ts";
import type { StoreOptions } from "../store.ts";

/** Setting → value. Settings of a nested block are named `<block>.<setting>`. */
export type Section = ReadonlyMap<string, string>;

export interface Profiles {
  /** Name of the profile in use. */
  name: string;
  /** Settings of a profile: of both files, those of the credentials file first. Undefined where neither has it. */
  profile(name: string): Section | undefined;
  /** Its settings in the credentials file alone, and in the config file alone. */
  credentials(name: string): Section | undefined;
  config(name: string): Section | undefined;
  /** The section `[services <name>]` of the config file. */
  services(name: string): Section | undefined;
}

/**
 * Reads the files that AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE name, or those in the home folder; absent ones are
 * empty. `chosen` is a profile that was asked for, before AWS_PROFILE. Throws CSP_STORE_SETTINGS where a file cannot be
 * read, or neither has the profile.
 */
export function readProfiles(chosen: string | undefined, { env, home }: Pick<StoreOptions, "env" | "home">): Profiles {
  const file = (variable: string, name: string): string | undefined => {
    const path = env[variable];
    if (path) return path.startsWith("~/") && home !== undefined ? join(home, path.slice(2)) : path;
    return home === undefined ? undefined : join(home, ".aws", name);
  };
  const configFile = readSections(file("AWS_CONFIG_FILE", "config"));
  const credentialsFile = readSections(file("AWS_SHARED_CREDENTIALS_FILE", "credentials"));
  const config = (name: string): Section | undefined =>
    configFile.get(`profile ${name}`) ?? (name === "default" ? configFile.get("default") : undefined);
  const credentials = (name: string): Section | undefined => credentialsFile.get(name);
  const profile = (name: string): Section | undefined => {
    const [one, other] = [config(name), credentials(name)];
    return one === undefined && other === undefined ? undefined : new Map([...(one ?? []), ...(other ?? [])]);
  };
  const named = chosen ?? (env.AWS_PROFILE || env.AWS_DEFAULT_PROFILE || undefined);
  const name = named ?? "default";
  if (named !== undefined && named !== "default" && profile(named) === undefined) {
    throw unusableSettings(
      `the profile ${quoted(named)} is in neither \`~/.aws/config\` nor \`~/.aws/credentials\``,
      chosen === undefined
        ? "check AWS_PROFILE, AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE"
        : "check the store's address",
    );
  }
  return { name, profile, config, credentials, services: (service) => configFile.get(`services ${service}`) };
}

/** Section names have single spaces and no quotes; a later section of the same name adds to the earlier one. */
export function parseSections(text: string): Map<string, Map<string, string>> {
  const sections = new Map<string, Map<string, string>>();
  let section: Map<string, string> | undefined;
  let block: string | undefined;
  for (const line of text.replace(/^\ufeff/, "").split(/\r?\n/)) {
    if (/^\s*(?:[#;].*)?$/.test(line)) continue;
    const header = /^\s*\[\s*([^\]]+?)\s*\]/.exec(line)?.[1];
    if (header !== undefined) {
      const name = header.replace(/\s+/g, " ").replace(/^(\w+ )?(["'])(.*)\2$/, "$1$3");
      section = sections.get(name) ?? new Map();
      sections.set(name, section);
      block = undefined;
      continue;
    }
    const [, indent = "", key, value = ""] = /^(\s*)([^=\s]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (key === undefined) continue;
    const setting = key.toLowerCase();
    if (indent === "") block = value === "" ? setting : undefined;
    if (indent === "" || block !== undefined) section?.set(indent === "" ? setting : `${block}.${setting}`, value);
  }
  return sections;
}

function readSections(path: string | undefined): Map<string, Map<string, string>> {
  if (path === undefined) return new Map();
  try {
    return parseSections(readFileSync(path, "utf8"));
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") return new Map();
    throw unusableSettings(
      `${quoted(path)} cannot be read (${code ?? "unknown reason"})`,
      "check who may read it",
      cause,
    );
  }
}
