/**
 * A reader for the YAML that allowlists are normally written in, some fifty times faster than loading and running the
 * library (which costs 20 to 40 ms, as much as everything else that an install with nothing to do does).
 * It never judges: whatever is not obviously within the subset, right or wrong, is left to the library.
 */
import {
  deepest,
  resolvePlain,
  type YamlList,
  type YamlMap,
  type YamlNode,
  type YamlPair,
  type YamlScalar,
} from "./yaml-tree.ts";

interface Line {
  indent: number;
  /** Offset of the first character that is not a space. */
  from: number;
  /** Offset behind the last character, without the line break. */
  to: number;
}

/** Thrown and caught in this file only: the text is outside the subset. */
const beyond = Symbol("beyond the subset");

/** The tree of the text, undefined for a text without content, or "beyond" where the library has to decide. */
export function readPlainYaml(text: string): YamlNode | undefined | "beyond" {
  if (/[^\x20-\x7e\n\r\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe]|\r(?!\n)/.test(text)) return "beyond";
  const state: State = { text, lines: significantLines(text), next: 0 };
  const first = state.lines[0];
  if (first === undefined) return undefined;
  try {
    if (first.indent !== 0) throw beyond;
    const root = readBlock(state, 0, 0);
    return state.next === state.lines.length ? root : "beyond";
  } catch (error) {
    if (error === beyond) return "beyond";
    throw error;
  }
}

interface State {
  text: string;
  lines: readonly Line[];
  next: number;
}

function significantLines(text: string): Line[] {
  const lines: Line[] = [];
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf("\n", start);
    const end = newline < 0 ? text.length : newline;
    const to = text[end - 1] === "\r" && end > start ? end - 1 : end;
    let from = start;
    while (from < to && text[from] === " ") from++;
    if (from < to && text[from] !== "#") lines.push({ indent: from - start, from, to });
    start = end + 1;
  }
  return lines;
}

function readBlock(state: State, indent: number, depth: number): YamlMap | YamlList {
  if (depth > deepest) throw beyond;
  const line = state.lines[state.next];
  if (line === undefined) throw beyond;
  return isItem(state, line) ? readBlockList(state, indent) : readBlockMap(state, indent, depth);
}

function isItem(state: State, line: Line): boolean {
  return state.text[line.from] === "-" && state.text[line.from + 1] === " ";
}

function readBlockMap(state: State, indent: number, depth: number): YamlMap {
  const pairs: YamlPair[] = [];
  for (
    let line = state.lines[state.next];
    line !== undefined && line.indent >= indent;
    line = state.lines[state.next]
  ) {
    if (line.indent > indent || isItem(state, line)) throw beyond;
    state.next++;
    const key = readKey(state.text, line.from, line.to);
    const rest = skipSpaces(state.text, key.colon + 1, line.to);
    const value = isEnd(state.text, rest, line.to, key.colon + 1)
      ? readBelow(state, key.colon + 1, indent, depth)
      : readInline(state, rest, line);
    pairs.push({ key: key.scalar, name: key.name, value });
  }
  return { kind: "map", flow: false, from: pairs[0]?.key.from ?? 0, to: pairs.at(-1)?.value.to ?? 0, pairs };
}

/** The value of a key that has none on its own line. */
function readBelow(state: State, after: number, indent: number, depth: number): YamlNode {
  const line = state.lines[state.next];
  if (line !== undefined) {
    if (line.indent > indent) return readBlock(state, line.indent, depth + 1);
    if (line.indent === indent && isItem(state, line)) return readBlockList(state, indent);
  }
  return { kind: "scalar", style: "plain", value: null, source: "", from: after, to: after };
}

function readBlockList(state: State, indent: number): YamlList {
  const items: YamlNode[] = [];
  let from = -1;
  for (
    let line = state.lines[state.next];
    line !== undefined && line.indent === indent;
    line = state.lines[state.next]
  ) {
    if (!isItem(state, line)) break;
    state.next++;
    if (from < 0) from = line.from;
    items.push(readInline(state, skipSpaces(state.text, line.from + 1, line.to), line));
  }
  if ((state.lines[state.next]?.indent ?? 0) > indent) throw beyond;
  return { kind: "list", flow: false, from, to: items.at(-1)?.to ?? from, items };
}

/** A value that ends on its line; what follows may only be a comment. */
function readInline(state: State, from: number, line: Line): YamlNode {
  const { text } = state;
  const value =
    text[from] === "{" || text[from] === "[" ? readFlow(text, from, line.to) : readScalar(text, from, line.to);
  if (!isEnd(text, skipSpaces(text, value.to, line.to), line.to, value.to)) throw beyond;
  const next = state.lines[state.next];
  if (next !== undefined && next.indent > line.indent) throw beyond;
  return value;
}

/** A map or list in braces or brackets that holds scalars only. */
function readFlow(text: string, from: number, to: number): YamlMap | YamlList {
  const map = text[from] === "{";
  const close = map ? "}" : "]";
  const pairs: YamlPair[] = [];
  const items: YamlScalar[] = [];
  let at = skipSpaces(text, from + 1, to);
  while (text[at] !== close || at >= to) {
    if (map) {
      const key = readKey(text, at, to);
      const value = readScalar(text, skipSpaces(text, key.colon + 1, to), to);
      pairs.push({ key: key.scalar, name: key.name, value });
      at = skipSpaces(text, value.to, to);
    } else {
      const item = readScalar(text, at, to);
      items.push(item);
      at = skipSpaces(text, item.to, to);
    }
    if (text[at] === "," && at < to) at = skipSpaces(text, at + 1, to);
    else if (text[at] !== close || at >= to) throw beyond;
  }
  return map
    ? { kind: "map", flow: true, from, to: at + 1, pairs }
    : { kind: "list", flow: true, from, to: at + 1, items };
}

const plainKey = /[A-Za-z0-9_][A-Za-z0-9_./-]*/y;
const plainValue = /[A-Za-z0-9./~^](?:[A-Za-z0-9_./~+@^=*-]|:(?=[A-Za-z0-9_./@])| (?=[A-Za-z0-9_./~^(]))*/y;
const doubleQuoted = /"[^"\\\n]*"/y;
const singleQuoted = /'[^'\n]*'(?!')/y;

function readKey(text: string, from: number, to: number): { scalar: YamlScalar; name: string; colon: number } {
  const scalar = matchScalar(text, from, to, plainKey);
  const after = text[scalar.to + 1];
  if (text[scalar.to] !== ":" || scalar.to >= to || (scalar.to + 1 < to && after !== " ")) throw beyond;
  const name = scalar.style === "plain" ? scalar.source : String(scalar.value);
  if (scalar.value === null || scalar.to - from > 1000) throw beyond;
  return { scalar, name, colon: scalar.to };
}

function readScalar(text: string, from: number, to: number): YamlScalar {
  return matchScalar(text, from, to, plainValue);
}

function matchScalar(text: string, from: number, to: number, plain: RegExp): YamlScalar {
  const style = text[from] === '"' ? "double" : text[from] === "'" ? "single" : "plain";
  const pattern = style === "double" ? doubleQuoted : style === "single" ? singleQuoted : plain;
  pattern.lastIndex = from;
  const found = pattern.exec(text)?.[0];
  if (found === undefined || from + found.length > to) throw beyond;
  const value = style === "plain" ? resolvePlain(found) : found.slice(1, -1);
  return { kind: "scalar", style, value, source: found, from, to: from + found.length };
}

function skipSpaces(text: string, from: number, to: number): number {
  let at = from;
  while (at < to && text[at] === " ") at++;
  return at;
}

/** True where nothing but a comment (which needs a space before it) stands between `at` and the end of the line. */
function isEnd(text: string, at: number, to: number, after: number): boolean {
  return at >= to || (text[at] === "#" && at > after);
}
