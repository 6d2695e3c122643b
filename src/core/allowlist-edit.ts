/** Edits of `script-packages.yaml` that keep everything a person wrote: comments, order, quotes, blank lines, line breaks. */
import {
  type Allowlist,
  type AllowlistEntry,
  cleanReason,
  formatPin,
  parseAllowlist,
  withoutMark,
} from "./allowlist.ts";
import { CspError } from "./errors.ts";
import { nearest } from "./nearest.ts";
import { checkExactVersion, checkPackageName, checkRegistryName } from "./package-name.ts";
import { quoted } from "./quote.ts";
import { readYaml } from "./yaml-read.ts";
import { formatScalar, insertLineAt, insertPair, lineBreak, nextLine, removePair, splice } from "./yaml-splice.ts";
import type { YamlMap, YamlNode, YamlPair, YamlScalar } from "./yaml-tree.ts";

export type Edit =
  /** Pins `set` to a version, as a new entry or in place; `name` (default: the key) is the registry name of an alias. */
  | { set: string; name?: string; version: string }
  | { remove: string }
  | { enable: string }
  /** With a reason, it replaces the one that stands there. */
  | { disable: string; reason?: string };

/**
 * The text after the edits, one after the other. An edit changes only the lines of its own entry; one that changes
 * nothing returns the text byte for byte. `file` is only its name for messages.
 * Throws CSP_ALLOWLIST_INVALID for a text that is not a valid allowlist (or that has a shape csp cannot edit safely),
 * CSP_NOT_ALLOWLISTED for a key that is not there, CSP_NAME_INVALID for a name or version that cannot be.
 */
export function editAllowlist(text: string, edits: readonly Edit[], file = "script-packages.yaml"): string {
  const body = withoutMark(text);
  const edited = edits.reduce((before, edit) => editOnce(before, edit, file), body);
  return text.slice(0, text.length - body.length) + edited;
}

function editOnce(before: string, edit: Edit, file: string): string {
  const allowlist = parseAllowlist(before, file);
  const expected = applyToEntries(allowlist, edit, file);
  const after = applyToText(before, edit, allowlist);
  if (!agrees(after, { ...allowlist, packages: expected }, file)) {
    throw new CspError("CSP_ALLOWLIST_INVALID", {
      message: `\`${file}\` is written in a way that csp cannot edit without risk`,
      hint: `make the change to ${quoted(keyOf(edit))} by hand, then run \`csp lock\``,
    });
  }
  return after;
}

function keyOf(edit: Edit): string {
  if ("set" in edit) return edit.set;
  if ("remove" in edit) return edit.remove;
  return "enable" in edit ? edit.enable : edit.disable;
}

/** What the edit means; the text that comes out has to say the same. */
function applyToEntries(allowlist: Allowlist, edit: Edit, file: string): ReadonlyMap<string, AllowlistEntry> {
  const entries = new Map(allowlist.packages);
  const key = keyOf(edit);
  const old = entries.get(key);
  if ("set" in edit) {
    const name = edit.name ?? key;
    const reason =
      checkPackageName(key) ?? (name === key ? undefined : checkRegistryName(name)) ?? checkExactVersion(edit.version);
    if (reason !== undefined) {
      throw new CspError("CSP_NAME_INVALID", {
        message: `${quoted(formatPin(key, name, edit.version))} cannot stand in the allowlist as ${quoted(key)}: ${reason}`,
      });
    }
    entries.set(key, { ...(old ?? { key, enabled: true, optional: false, line: 0 }), name, version: edit.version });
    return entries;
  }
  if (old === undefined) {
    const near = nearest(key, entries.keys());
    throw new CspError("CSP_NOT_ALLOWLISTED", {
      message: `${quoted(key)} is not in \`${file}\``,
      hint: near === undefined ? "run `csp list` to see what is" : `did you mean \`${near}\`?`,
    });
  }
  if ("remove" in edit) {
    entries.delete(key);
    return entries;
  }
  const reason = "disable" in edit ? cleanReason(edit.reason ?? "") : undefined;
  entries.set(key, { ...old, enabled: "enable" in edit, ...(reason === undefined ? {} : { reason }) });
  return entries;
}

function applyToText(text: string, edit: Edit, allowlist: Allowlist): string {
  const key = keyOf(edit);
  const entry = allowlist.packages.get(key);
  if ("set" in edit) {
    const pin = formatPin(key, edit.name ?? key, edit.version);
    if (entry === undefined) return addEntry(text, key, pin);
    if (pin === formatPin(key, entry.name, entry.version)) return text;
    return setPin(text, key, pin);
  }
  if ("remove" in edit) {
    const map = packagesOf(text);
    const index = map?.pairs.findIndex((pair) => pair.name === key) ?? -1;
    return map === undefined ? text : removePair(text, map, index);
  }
  const enabled = "enable" in edit;
  const toggled = entry?.enabled === enabled ? text : setEnabled(text, key, enabled);
  const reason = "disable" in edit ? cleanReason(edit.reason ?? "") : undefined;
  if (reason === undefined || reason === entry?.reason) return toggled;
  return setField(toggled, key, "reason", JSON.stringify(reason));
}

/** The root map; undefined for a file without content. */
function rootOf(text: string): YamlMap | undefined {
  const result = readYaml(text);
  return result.ok && result.root?.kind === "map" ? result.root : undefined;
}

function packagesOf(text: string): YamlMap | undefined {
  const value = rootOf(text)?.pairs.find((pair) => pair.name === "packages")?.value;
  return value?.kind === "map" ? value : undefined;
}

function entryOf(text: string, key: string): YamlPair | undefined {
  return packagesOf(text)?.pairs.find((pair) => pair.name === key);
}

function fieldOf(map: YamlMap, name: string): YamlPair | undefined {
  return map.pairs.find((pair) => pair.name === name);
}

function setPin(text: string, key: string, pin: string): string {
  const value = entryOf(text, key)?.value;
  const old = value?.kind === "map" ? fieldOf(value, "version")?.value : value;
  if (old?.kind !== "scalar") return text;
  return splice(text, old.from, old.to, formatScalar(pin, old.style === "block" ? "plain" : old.style));
}

function setEnabled(text: string, key: string, enabled: boolean): string {
  const pair = entryOf(text, key);
  if (pair === undefined) return text;
  const { value } = pair;
  if (value.kind === "scalar") {
    const simple = value.style === "block" || value.source.includes("\n");
    const pin = simple ? formatScalar(String(value.value), "plain") : value.source;
    const json = pair.key.style === "double" && value.style === "double" && packagesOf(text)?.flow === true;
    const field = (name: string) => (json ? `"${name}"` : name);
    return splice(text, value.from, value.to, `{ ${field("version")}: ${pin}, ${field("enabled")}: ${enabled} }`);
  }
  const version = value.kind === "map" ? fieldOf(value, "version")?.value : undefined;
  // What `csp disable` wrote goes back to what it was.
  if (enabled && version && value.kind === "map" && value.flow && value.pairs.length === 2 && isOneLine(text, value)) {
    return splice(text, value.from, value.to, text.slice(version.from, version.to));
  }
  return setField(text, key, "enabled", String(enabled));
}

function isOneLine(text: string, node: YamlNode): boolean {
  return !text.slice(node.from, node.to).includes("\n");
}

/** Sets a field of an entry that is a map, in place or behind its last field. */
function setField(text: string, key: string, name: string, source: string): string {
  const pair = entryOf(text, key);
  if (pair?.value.kind !== "map") return text;
  const map = pair.value;
  const old = fieldOf(map, name)?.value;
  if (old !== undefined) return splice(text, old.from, old.to, source);
  const json = map.flow && map.pairs.every((field) => field.key.style === "double");
  return insertPair(text, map, map.pairs.length, `${json ? `"${name}"` : name}: ${source}`);
}

function addEntry(text: string, key: string, pin: string): string {
  const root = rootOf(text);
  const line = `${formatScalar(key, "plain")}: ${formatScalar(pin, "plain")}`;
  if (root === undefined) return insertLineAt(text, text.length, `packages:${lineBreak(text)}  ${line}`);
  const packages = fieldOf(root, "packages");
  if (packages?.value.kind === "map" && packages.value.pairs.length > 0)
    return addBeside(text, packages.value, key, pin);
  if (root.flow) {
    const json = root.pairs.every((pair) => pair.key.style === "double");
    const own = json ? `${JSON.stringify(key)}: ${JSON.stringify(pin)}` : line;
    if (packages === undefined) {
      return insertPair(text, root, root.pairs.length, `${json ? '"packages"' : "packages"}: { ${own} }`);
    }
    const { from, to } = packages.value;
    return splice(text, from, to, `${from === to ? " " : ""}{ ${own} }`);
  }
  const indent = " ".repeat(indentOf(text, root));
  if (packages === undefined) {
    return insertPair(text, root, root.pairs.length, `packages:${lineBreak(text)}${indent}${line}`);
  }
  // `packages:` or `packages: {}`: the braces go, a comment behind it stays.
  const from = text.indexOf(":", packages.key.to) + 1;
  const bare = packages.value.to > from ? splice(text, from, packages.value.to, "") : text;
  return insertLineAt(bare, behindComments(bare, nextLine(bare, from)), indent + line);
}

/** A new entry in the style of those that are there; in its place where they are sorted, else at the end. */
function addBeside(text: string, map: YamlMap, key: string, pin: string): string {
  const names = map.pairs.map((pair) => pair.name);
  const sorted = names.every((name, i) => i === 0 || (names[i - 1] ?? "") < name);
  const after = sorted ? names.findIndex((name) => name > key) : -1;
  const versions = map.pairs.map((pair) =>
    pair.value.kind === "map" ? fieldOf(pair.value, "version")?.value : pair.value,
  );
  const keyStyle = commonStyle(map.pairs.map((pair) => pair.key));
  const line = `${formatScalar(key, keyStyle)}: ${formatScalar(pin, commonStyle(versions))}`;
  return insertPair(text, map, after < 0 ? map.pairs.length : after, line);
}

/** The quotes that all of them have; where they differ, none. */
function commonStyle(nodes: readonly (YamlNode | undefined)[]): YamlScalar["style"] {
  const first = nodes[0];
  const style = first?.kind === "scalar" ? first.style : "plain";
  return nodes.every((node) => node?.kind === "scalar" && node.style === style) && style !== "block" ? style : "plain";
}

/** The indentation that the file uses elsewhere. */
function indentOf(text: string, root: YamlMap): number {
  for (const { value } of root.pairs) {
    if (value.kind === "map" && !value.flow) return value.from - (text.lastIndexOf("\n", value.from) + 1);
  }
  return 2;
}

/** Behind the indented comment lines that start here: they speak of what is to follow. */
function behindComments(text: string, offset: number): number {
  const comments = /(?: +#.*(?:\n|$))*/y;
  comments.lastIndex = offset;
  return comments.test(text) ? comments.lastIndex : offset;
}

function agrees(text: string, expected: Allowlist, file: string): boolean {
  try {
    return comparable(parseAllowlist(text, file)) === comparable(expected);
  } catch (error) {
    if (error instanceof CspError) return false;
    throw error;
  }
}

/** All that an allowlist says, without lines and without the order of its packages. */
function comparable(allowlist: Allowlist): string {
  const packages = [...allowlist.packages.values()]
    .map(({ key, name, version, enabled, optional, reason }) => [key, name, version, enabled, optional, reason ?? null])
    .sort((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1));
  const scopes = [...allowlist.registry.scopes];
  return JSON.stringify({ ...allowlist, packages, registry: { ...allowlist.registry, scopes } });
}
