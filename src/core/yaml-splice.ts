/** Changes to a YAML text at known places; every character outside the changed place stays as it is. */
import { resolvePlain, type YamlMap, type YamlPair, type YamlScalar } from "./yaml-tree.ts";

/** The text with one part replaced. */
export function splice(text: string, from: number, to: number, replacement: string): string {
  return text.slice(0, from) + replacement + text.slice(to);
}

/** The line break that the file uses. */
export function lineBreak(text: string): "\n" | "\r\n" {
  const first = text.indexOf("\n");
  return first > 0 && text[first - 1] === "\r" ? "\r\n" : "\n";
}

/** A scalar in the quotes that are asked for, or in others where it needs them: YAML reads back the same string. */
export function formatScalar(value: string, style: YamlScalar["style"]): string {
  if (style === "single" && !/['\p{Cc}]/u.test(value)) return `'${value}'`;
  if (style === "plain" && isSafePlain(value)) return value;
  // A JSON string is a double-quoted YAML scalar.
  return JSON.stringify(value);
}

/** True where every YAML reader, also of the older version 1.1, takes the unquoted text for a string. */
function isSafePlain(value: string): boolean {
  return (
    /^[A-Za-z0-9](?:[A-Za-z0-9._+@/-]|:(?=[A-Za-z0-9@/]))*$/.test(value) &&
    typeof resolvePlain(value) === "string" &&
    !/^(?:y|n|yes|no|on|off)$|^[0-9]+(?:[:.eE_-][0-9]*)?$/i.test(value)
  );
}

/** Puts `key: value` into a map that has pairs or braces, before the pair with that index, or at the end. */
export function insertPair(text: string, map: YamlMap, index: number, line: string): string {
  const next = map.pairs[index];
  const previous = map.pairs[index - 1];
  if (map.flow) return insertIntoFlow(text, map, previous, next, line);
  const first = map.pairs[0];
  const indent = first === undefined ? 0 : column(text, first.key.from);
  const whole = " ".repeat(indent) + line;
  if (previous !== undefined) return insertLineAt(text, endOfPair(text, previous), whole);
  return insertLineAt(text, next === undefined ? text.length : startOfComments(text, next.key.from), whole);
}

/** Takes a pair out of its map, with its own lines, and nothing else. */
export function removePair(text: string, map: YamlMap, index: number): string {
  const pair = map.pairs[index];
  if (pair === undefined) return text;
  if (map.flow) return removeFromFlow(text, map, pair, map.pairs[index - 1], map.pairs[index + 1]);
  return removeLines(text, lineStart(text, pair.key.from), endOfPair(text, pair));
}

/** Puts a line (without its break) at the start of a line, or at the end of a text that may lack its last break. */
export function insertLineAt(text: string, at: number, line: string): string {
  const eol = lineBreak(text);
  if (at === text.length && text !== "" && !text.endsWith("\n")) return text + eol + line;
  return splice(text, at, at, line + eol);
}

/** Offset of the first character of the line. */
export function lineStart(text: string, offset: number): number {
  return text.lastIndexOf("\n", offset - 1) + 1;
}

/** Offset behind the line and its break. */
export function nextLine(text: string, offset: number): number {
  const end = text.indexOf("\n", offset);
  return end < 0 ? text.length : end + 1;
}

function column(text: string, offset: number): number {
  return offset - lineStart(text, offset);
}

/** Behind the last line of a pair. Comment lines inside a nested block, deeper than the key, are the pair's own. */
function endOfPair(text: string, pair: YamlPair): number {
  let end = nextLine(text, Math.max(pair.key.to, pair.value.to));
  if (pair.value.kind === "scalar" || pair.value.flow) return end;
  const inner = new RegExp(` {${column(text, pair.key.from) + 1},}#.*(?:\\n|$)`, "y");
  for (;;) {
    inner.lastIndex = end;
    const comment = inner.exec(text);
    if (comment === null || comment[0] === "") return end;
    end += comment[0].length;
  }
}

/** The start of the comment lines that stand directly above a line, else of the line. */
function startOfComments(text: string, offset: number): number {
  let start = lineStart(text, offset);
  while (start > 0) {
    const above = lineStart(text, start - 1);
    if (!/^ *#/.test(text.slice(above, start))) break;
    start = above;
  }
  return start;
}

function removeLines(text: string, from: number, to: number): string {
  const removed = splice(text, from, to, "");
  // A file without a last line break stays one.
  return to === text.length && !text.endsWith("\n") ? removed.replace(/\r?\n$/, "") : removed;
}

function ownLine(text: string, pair: YamlPair): boolean {
  return /^[ \t]*$/.test(text.slice(lineStart(text, pair.key.from), pair.key.from));
}

function insertIntoFlow(
  text: string,
  map: YamlMap,
  previous: YamlPair | undefined,
  next: YamlPair | undefined,
  line: string,
): string {
  const eol = lineBreak(text);
  if (next !== undefined) {
    const gap = ownLine(text, next) ? `,${eol}${" ".repeat(column(text, next.key.from))}` : ", ";
    return splice(text, next.key.from, next.key.from, line + gap);
  }
  if (previous === undefined) return splice(text, map.from, map.to, `{ ${line} }`);
  const comma = commaBehind(text, previous.value.to);
  if (!ownLine(text, previous)) {
    return splice(
      text,
      comma ?? previous.value.to,
      comma ?? previous.value.to,
      comma === undefined ? `, ${line}` : ` ${line},`,
    );
  }
  // Behind the line, so that a comment at its end stays with its own entry.
  const whole = eol + " ".repeat(column(text, previous.key.from)) + line + (comma === undefined ? "" : ",");
  const last = comma ?? previous.value.to;
  const behind = /[^\r\n]*/y;
  behind.lastIndex = last;
  const rest = behind.exec(text)?.[0] ?? "";
  // `}` on the same line has to stay behind the new pair.
  const at = /^\s*(?:#.*)?$/.test(rest) ? last + rest.length : last;
  const inserted = splice(text, at, at, whole);
  return comma === undefined ? splice(inserted, previous.value.to, previous.value.to, ",") : inserted;
}

function removeFromFlow(
  text: string,
  map: YamlMap,
  pair: YamlPair,
  previous: YamlPair | undefined,
  next: YamlPair | undefined,
): string {
  const comma = commaBehind(text, pair.value.to);
  const end = comma ?? pair.value.to;
  const rest = text.slice(end, nextLine(text, end));
  if (ownLine(text, pair) && /^[ \t]*(?:#.*)?\r?\n$/.test(rest)) {
    const without = removeLines(text, lineStart(text, pair.key.from), nextLine(text, end));
    // A last pair without a comma behind it leaves another last pair without one: JSON stays JSON.
    const before = previous === undefined || comma !== undefined ? undefined : commaBehind(text, previous.value.to);
    return before === undefined ? without : splice(without, before - 1, before, "");
  }
  if (next !== undefined) return splice(text, pair.key.from, next.key.from, "");
  if (previous !== undefined) {
    // Between a pair on its own line and the one before it may stand a comment, which is not this pair's.
    return splice(text, ownLine(text, pair) ? pair.key.from : previous.value.to, pair.value.to, "");
  }
  return splice(text, map.from, map.to, "{}");
}

/** Offset behind the comma that ends a pair in braces; undefined where none follows. */
function commaBehind(text: string, offset: number): number | undefined {
  const gap = /(?:\s|#[^\n]*\n)*,/y;
  gap.lastIndex = offset;
  return gap.test(text) ? gap.lastIndex : undefined;
}
