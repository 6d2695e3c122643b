/**
 * npm's settings from all layers, merged. Values stay as written until they are used, so that a stale line for another
 * registry breaks nothing; what is used and cannot be expanded is an error that names variable, key and file.
 */
import { realpathSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { CspError, type Warning } from "../core/errors.ts";
import { expandVariables, hasVariable } from "./expand.ts";
import { isUnmodifiedInGit } from "./git-trust.ts";
import { type Environment, environmentEntries, type RawValue, readNpmrc } from "./npmrc.ts";

type Layer = "environment" | "project" | "user" | "global";

export interface Setting {
  key: string;
  raw: RawValue;
  layer: Layer;
  /** The file, or the name of the environment variable. */
  source: string;
}

export interface SettingsInput {
  projectDir: string;
  home: string | undefined;
  env: Environment;
  /** Use `${VAR}` of the project's file also where git does not vouch for the file. */
  trustProject?: boolean;
  /** Told each remark once, when the setting that causes it is used. */
  onWarning?: (warning: Warning) => void;
}

export interface Settings {
  readonly env: Environment;
  keys(): Iterable<string>;
  /** The strongest setting of a key, as written. */
  find(key: string): Setting | undefined;
  /**
   * The expanded value; undefined where the key is absent, `null`, `true`, `false` or empty. `leavesHost` says that the
   * value, or what it decides, goes over the network: then variables in the project's file need git's word or the
   * user's. Throws CSP_NPMRC_INVALID.
   */
  text(key: string, leavesHost: boolean): string | undefined;
  /** A value that may be a list (`ca[]`); a single one is a list of one. */
  list(key: string): readonly string[];
  /** `true`, `false`, or undefined where it says neither. */
  flag(key: string): boolean | undefined;
  /** The absolute form of a path in the settings: `~/` is the home, the rest is relative to the project. */
  path(text: string): string;
  warn(message: string, hint?: string): void;
  /** Grows while settings are used; each remark once. */
  readonly warnings: readonly Warning[];
}

/** Reads all layers. Only a file that exists and cannot be read is an error here. */
export function loadSettings(input: SettingsInput): Settings {
  const { env } = input;
  const projectFile = join(input.projectDir, ".npmrc");
  const merged = mergeLayers(input, projectFile);
  const warnings: Warning[] = [];
  const seen = new Set<string>();
  let projectTrusted: boolean | undefined;

  const warn = (message: string, hint?: string): void => {
    if (seen.has(message)) return;
    seen.add(message);
    const warning: Warning = { code: "CSP_WARN_NPMRC", message, ...(hint === undefined ? {} : { hint }) };
    warnings.push(warning);
    input.onWarning?.(warning);
  };

  const expand = (setting: Setting, raw: string, leavesHost: boolean): string => {
    if (!raw.includes("${")) return raw;
    if (leavesHost && setting.layer === "project" && hasVariable(raw)) {
      projectTrusted ??= input.trustProject === true || isUnmodifiedInGit(projectFile, env);
      if (!projectTrusted) throw untrusted(setting);
    }
    const expanded = expandVariables(raw, env);
    if (expanded.kind === "unset") throw unset(setting, expanded.variable);
    for (const variable of expanded.empty) {
      warn(`environment variable \`${variable}\` is empty, which ${describeSetting(setting)} uses`);
    }
    return expanded.text;
  };

  const settings: Settings = {
    env,
    keys: () => merged.keys(),
    find: (key) => merged.get(key),
    text(key, leavesHost) {
      const setting = merged.get(key);
      if (!setting) return undefined;
      const raw = Array.isArray(setting.raw) ? setting.raw.at(-1) : setting.raw;
      if (typeof raw !== "string") return undefined;
      return expand(setting, raw, leavesHost).trim() || undefined;
    },
    list(key) {
      const setting = merged.get(key);
      if (!setting || typeof setting.raw === "boolean" || setting.raw === null) return [];
      const values = typeof setting.raw === "string" ? [setting.raw] : setting.raw;
      return values.map((value) => expand(setting, value, false)).filter((value) => value !== "");
    },
    flag(key) {
      const setting = merged.get(key);
      if (!setting) return undefined;
      if (typeof setting.raw === "boolean") return setting.raw;
      const text = settings.text(key, false);
      return text === "true" ? true : text === "false" ? false : undefined;
    },
    path(text) {
      if (input.home !== undefined && (text === "~" || text.startsWith("~/"))) return join(input.home, text.slice(1));
      return resolve(input.projectDir, text);
    },
    warn,
    warnings,
  };
  return settings;
}

/** "`key` in `file`", for messages. Never the value. */
export function describeSetting(setting: Setting): string {
  return setting.layer === "environment"
    ? `environment variable \`${clean(setting.source)}\``
    : `\`${clean(setting.key)}\` in \`${clean(setting.source)}\``;
}

/** CSP_NPMRC_INVALID about one setting. `problem` completes "`key` in `file` …". */
export function invalidSetting(setting: Setting, problem: string, hint?: string): CspError {
  return new CspError("CSP_NPMRC_INVALID", {
    message: `${describeSetting(setting)} ${problem}`,
    ...(hint === undefined ? {} : { hint }),
    data: { key: clean(setting.key), source: clean(setting.source) },
  });
}

function unset(setting: Setting, variable: string): CspError {
  return invalidSetting(
    setting,
    `needs the environment variable \`${clean(variable)}\`, which is not set`,
    `set \`${clean(variable)}\`, or write \`\${${clean(variable)}?}\` where it may be missing`,
  );
}

function untrusted(setting: Setting): CspError {
  return invalidSetting(
    setting,
    "uses an environment variable, and git does not vouch for that file",
    "commit the file as it is, move the line to your own ~/.npmrc, or pass `--trust-project-npmrc`",
  );
}

function mergeLayers(input: SettingsInput, projectFile: string): Map<string, Setting> {
  const { env, home } = input;
  const environment = environmentEntries(env);
  const fromEnv = (key: string): string | undefined => environment.get(key)?.value;
  const inHome = (path: string): string =>
    path.startsWith("~/") && home !== undefined ? join(home, path.slice(2)) : resolve(input.projectDir, path);

  const userSetting = fromEnv("userconfig");
  const userFile =
    userSetting !== undefined ? inHome(userSetting) : home === undefined ? undefined : join(home, ".npmrc");
  const user = userFile === undefined ? undefined : readNpmrc(userFile, env);
  const project = userFile === projectFile ? undefined : readNpmrc(projectFile, env);

  // Only trusted layers choose the global file: a project must not name a file that would then count as the user's.
  const chosen = (key: string): string | undefined => {
    const value = fromEnv(key) ?? user?.get(key);
    if (typeof value !== "string" || value === "") return undefined;
    const expanded = expandVariables(value, env);
    return expanded.kind === "text" ? expanded.text : undefined;
  };
  const prefix = chosen("prefix") ?? (env.PREFIX || undefined) ?? nodePrefix(env.PATH);
  const globalSetting = chosen("globalconfig") ?? (prefix === undefined ? undefined : join(prefix, "etc", "npmrc"));
  const globalFile = globalSetting === undefined ? undefined : inHome(globalSetting);
  const global = globalFile === undefined ? undefined : readNpmrc(globalFile, env);

  const merged = new Map<string, Setting>();
  const add = (layer: Layer, source: string | undefined, entries: ReadonlyMap<string, RawValue> | undefined): void => {
    for (const [key, raw] of entries ?? []) merged.set(key, { key, raw, layer, source: source ?? "" });
  };
  add("global", globalFile, global);
  add("user", userFile, user);
  add("project", projectFile, project);
  for (const [key, { value, variable }] of environment) {
    merged.set(key, { key, raw: value, layer: "environment", source: variable });
  }
  return merged;
}

/** npm's default prefix: two levels above the node that runs it. */
function nodePrefix(path: string | undefined): string | undefined {
  for (const directory of (path ?? "").split(":")) {
    if (!directory.startsWith("/")) continue;
    try {
      return dirname(dirname(realpathSync(join(directory, "node"))));
    } catch {
      // not in this directory
    }
  }
  return undefined;
}

function clean(text: string): string {
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, "");
}
