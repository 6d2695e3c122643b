/** Reading one npmrc file, or the environment's `npm_config_*`, into keys and values that are not yet expanded. */
import { readFileSync, statSync } from "node:fs";
import { parse } from "ini";
import { CspError } from "../core/errors.ts";
import { expandVariables } from "./expand.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** A value as written: `true`, `false` and `null` are npm's own words, a list comes from `key[]` lines. */
export type RawValue = string | boolean | null | readonly string[];

const sizeLimit = 1024 * 1024;

/** The entries of an npmrc text. Sections are left out, as npm does; the last of equal keys wins. */
export function parseNpmrc(text: string, env: Environment): Map<string, RawValue> {
  const entries = new Map<string, RawValue>();
  const parsed = parse(text.startsWith("\uFEFF") ? text.slice(1) : text);
  for (const [rawKey, value] of Object.entries(parsed)) {
    const key = settingKey(rawKey, env);
    if (Array.isArray(value)) entries.set(key, value.map(String));
    else if (typeof value === "string" || typeof value === "boolean" || value === null) entries.set(key, value);
  }
  return entries;
}

/** The entries of an npmrc file; undefined where there is no such file. A file that cannot be read is an error. */
export function readNpmrc(file: string, env: Environment): Map<string, RawValue> | undefined {
  let text: string;
  try {
    const stat = statSync(file);
    if (!stat.isFile()) return undefined;
    if (stat.size > sizeLimit) {
      throw new CspError("CSP_NPMRC_INVALID", { message: `\`${file}\` is larger than 1 MiB` });
    }
    text = readFileSync(file, "utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    if (cause instanceof CspError) throw cause;
    throw new CspError("CSP_NPMRC_INVALID", {
      message: `\`${file}\` cannot be read (${code ?? "unknown reason"})`,
      hint: `make it readable for this user, or remove it`,
      cause,
    });
  }
  return parseNpmrc(text, env);
}

/**
 * The entries of `npm_config_*` variables, with the variable each came from. Empty ones do not count; the lower-case
 * spelling wins over `NPM_CONFIG_*`; `npm_config_//host/:_authToken` keeps its key as it is.
 */
export function environmentEntries(env: Environment): Map<string, { value: string; variable: string }> {
  const entries = new Map<string, { value: string; variable: string }>();
  for (const [variable, value] of Object.entries(env)) {
    if (!value || !/^npm_config_/i.test(variable)) continue;
    const name = variable.slice("npm_config_".length);
    const key = settingKey(name.startsWith("//") ? name : name.replace(/(?!^)_/g, "-").toLowerCase(), env);
    if (entries.has(key) && !variable.startsWith("npm_config_")) continue;
    entries.set(key, { value, variable });
  }
  return entries;
}

/** npm expands keys too; one with an unset variable stays as written and then matches nothing. Hosts are lower case. */
function settingKey(raw: string, env: Environment): string {
  const expanded = expandVariables(raw, env);
  const key = expanded.kind === "text" ? expanded.text : raw;
  return key.startsWith("//") ? key.replace(/^\/\/(?:[^/:]|:(?=\d))*/, (host) => host.toLowerCase()) : key;
}
