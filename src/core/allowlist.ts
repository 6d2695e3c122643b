/** `script-packages.yaml`: the exactly pinned packages that scripts may import, and the settings. */
import { type AllowlistSettings, knownKeys, readSettings } from "./allowlist-settings.ts";
import { CspError } from "./errors.ts";
import { checkExactVersion, checkPackageName, checkRegistryName } from "./package-name.ts";
import { sourceKind } from "./package-spec.ts";
import { quoted } from "./quote.ts";
import { describe, place, type Report, readBoolean, readFields } from "./yaml-fields.ts";
import { readYaml } from "./yaml-read.ts";
import { locator, type Problem, type YamlNode, type YamlPair } from "./yaml-tree.ts";

export interface AllowlistEntry {
  /** The name that scripts import. */
  key: string;
  /** The name in the registry; differs from `key` for an `npm:` alias. */
  name: string;
  /** One exact version. */
  version: string;
  /** False: it stays in the file and out of the lockfile and the tree. */
  enabled: boolean;
  /** True: left out on hosts whose platform it does not fit, instead of failing there. */
  optional: boolean;
  reason?: string;
  /** Where the entry starts, counted from 1. */
  line: number;
}

export interface Allowlist extends AllowlistSettings {
  /** By key, in the order of the file. */
  packages: ReadonlyMap<string, AllowlistEntry>;
}

/** How many mistakes one error lists. */
const mostProblems = 50;

/**
 * Reads an allowlist; `file` is only its name for messages. An empty file, or one without `packages`, allows nothing
 * and is valid. Throws one CSP_ALLOWLIST_INVALID whose details name every mistake as `file:line:column  what`.
 */
export function parseAllowlist(text: string, file: string): Allowlist {
  const body = withoutMark(text);
  const result = readYaml(body);
  if (!result.ok) throw invalid(body, file, result.problems);
  const problems: Problem[] = [];
  const report: Report = (at, what, hint) => problems.push({ offset: at.from, text: what, ...(hint ? { hint } : {}) });
  const top = readFields(result.root, "the allowlist", knownKeys.top, report);
  const locate = locator(body);
  const packages = readPackages(top.get("packages")?.value, (offset) => locate(offset).line, report);
  const settings = readSettings(top, report);
  if (problems.length > 0) throw invalid(body, file, problems);
  return { packages, ...settings };
}

/** The text without its byte order mark. */
export function withoutMark(text: string): string {
  return text.startsWith("\ufeff") ? text.slice(1) : text;
}

function readPackages(
  node: YamlNode | undefined,
  lineOf: (offset: number) => number,
  report: Report,
): ReadonlyMap<string, AllowlistEntry> {
  const packages = new Map<string, AllowlistEntry>();
  for (const [key, pair] of readFields(node, "`packages`", undefined, report)) {
    if (pair.key.style === "plain" && typeof pair.key.value === "number" && String(pair.key.value) !== key) {
      report(pair.key, `${quoted(key)} would be read as the number ${pair.key.value}: quote it`);
      continue;
    }
    const reason = checkPackageName(key);
    if (reason !== undefined) report(pair.key, `${quoted(key)} cannot be the name of a package: ${reason}`);
    const entry = readEntry(key, pair, report);
    if (entry !== undefined) packages.set(key, { ...entry, line: lineOf(pair.key.from) });
  }
  return packages;
}

function readEntry(key: string, pair: YamlPair, report: Report): Omit<AllowlistEntry, "line"> | undefined {
  if (pair.value.kind !== "map") {
    const pin = readPin(key, pair, report);
    return pin && { key, ...pin, enabled: true, optional: false };
  }
  const fields = readFields(pair.value, `the entry ${quoted(key)}`, knownKeys.entry, report);
  const enabled = readBoolean(fields.get("enabled"), report) ?? true;
  const optional = readBoolean(fields.get("optional"), report) ?? false;
  const reason = readReason(fields.get("reason"), report);
  const version = fields.get("version");
  if (version === undefined) {
    report(pair.key, `the entry ${quoted(key)} has no \`version\``);
    return undefined;
  }
  const pin = readPin(key, version, report);
  return pin && { key, ...pin, enabled, optional, ...(reason === undefined ? {} : { reason }) };
}

/** A reason may be of several lines in the file; it is one line for its readers. */
function readReason(pair: YamlPair | undefined, report: Report): string | undefined {
  if (pair === undefined) return undefined;
  const value = pair.value.kind === "scalar" ? pair.value.value : undefined;
  if (typeof value !== "string") {
    report(place(pair), `\`reason\` is a text, not ${describe(pair.value)}`);
    return undefined;
  }
  return cleanReason(value);
}

/** The reason as one line without control characters; undefined where nothing is left. */
export function cleanReason(text: string): string | undefined {
  const line = text
    .toWellFormed()
    .replace(/[\s\p{Cc}]+/gu, " ")
    .trim();
  return line === "" ? undefined : line;
}

/** The value of an entry: `1.2.3` or `npm:name@1.2.3`. */
function readPin(key: string, pair: YamlPair, report: Report): { name: string; version: string } | undefined {
  const { value } = pair;
  const addHint = `to pin a version that fits, run \`csp add ${checkPackageName(key) === undefined ? key : "<name>"}@<range>\``;
  if (value.kind !== "scalar" || value.value === null || typeof value.value === "boolean") {
    report(place(pair), `${quoted(key)} needs one exact version such as \`1.2.3\`, not ${describe(value)}`);
    return undefined;
  }
  if (typeof value.value === "number") {
    const fix = 'quote it and give all three parts, as in `"1.10.0"`';
    report(value, `${quoted(value.source)} is a number in YAML and would be read as ${value.value}: ${fix}`, addHint);
    return undefined;
  }
  const text = value.value;
  const alias = splitAlias(text);
  if (alias === undefined) {
    const source = sourceKind(text);
    if (source !== undefined) {
      report(value, `${quoted(key)} comes from ${source}; csp takes packages from a registry only`);
      return undefined;
    }
  }
  const version = alias?.version ?? text;
  const nameReason = alias && checkRegistryName(alias.name);
  const versionReason = checkExactVersion(version);
  if (nameReason !== undefined) {
    report(value, `${quoted(alias?.name ?? "")} cannot be the name of a package: ${nameReason}`);
  } else if (versionReason !== undefined) {
    report(value, `${quoted(text)}: csp pins exact versions, and ${versionReason}`, addHint);
  } else {
    return { name: alias?.name ?? key, version };
  }
  return undefined;
}

/** `npm:name@version` in its parts, unchecked; undefined for everything that does not start with `npm:`. */
function splitAlias(text: string): { name: string; version: string } | undefined {
  if (!text.startsWith("npm:")) return undefined;
  const target = text.slice("npm:".length);
  const at = target.indexOf("@", 1);
  return at < 0 ? { name: target, version: "" } : { name: target.slice(0, at), version: target.slice(at + 1) };
}

/** How an entry's value is written: `1.2.3`, or `npm:name@1.2.3` where scripts import it by another name. */
export function formatPin(key: string, name: string, version: string): string {
  return name === key ? version : `npm:${name}@${version}`;
}

function invalid(text: string, file: string, problems: readonly Problem[]): CspError {
  const locate = locator(text);
  const places = [...problems]
    .sort((a, b) => a.offset - b.offset)
    .map((problem) => ({ ...locate(problem.offset), problem }));
  const shown = places.slice(0, mostProblems).map((at) => `${file}:${at.line}:${at.column}  ${at.problem.text}`);
  if (places.length > shown.length) shown.push(`and ${places.length - shown.length} more`);
  const hint = places.find((at) => at.problem.hint !== undefined)?.problem.hint;
  return new CspError("CSP_ALLOWLIST_INVALID", {
    message: `\`${file}\` has ${places.length === 1 ? "a mistake" : `${places.length} mistakes`}`,
    details: shown,
    hint: hint ?? `correct \`${file}\` and run the command again`,
    data: {
      file,
      problems: places
        .slice(0, mostProblems)
        .map(({ line, column, problem }) => ({ line, column, text: problem.text })),
    },
  });
}
