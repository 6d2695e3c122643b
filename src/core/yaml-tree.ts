/** The part of YAML that csp reads, as data with places in the text. Both readers of YAML produce it. */

/** Offsets count UTF-16 units from the start of the text; `to` is exclusive. */
export interface Span {
  from: number;
  to: number;
}

export interface YamlScalar extends Span {
  kind: "scalar";
  /** What YAML 1.2 makes of it: `1.10` is the number 1.1. */
  value: string | number | boolean | null;
  /** The same as it stands in the text, quotes included. */
  source: string;
  /** How it stands in the text; a block scalar is `|` or `>`. A value that is left out is plain, null and has no length. */
  style: "plain" | "single" | "double" | "block";
}

export interface YamlPair {
  key: YamlScalar;
  /** The key as text, also where YAML would read a number or a boolean. */
  name: string;
  value: YamlNode;
}

export interface YamlMap extends Span {
  kind: "map";
  /** Written with braces. */
  flow: boolean;
  /** In the order of the text; duplicates are kept. */
  pairs: readonly YamlPair[];
}

export interface YamlList extends Span {
  kind: "list";
  flow: boolean;
  items: readonly YamlNode[];
}

export type YamlNode = YamlScalar | YamlMap | YamlList;

/** Something wrong at a place in the text. */
export interface Problem {
  offset: number;
  /** Lower case, no full stop. */
  text: string;
  /** What to do about it, where that is more than to correct the line. */
  hint?: string;
}

/** Deeper nesting is refused; the deepest thing in an allowlist is at depth 4. */
export const deepest = 16;

/** A function that turns an offset into a line and a column, both counted from 1. */
export function locator(text: string): (offset: number) => { line: number; column: number } {
  const starts = [0];
  for (let i = text.indexOf("\n"); i >= 0; i = text.indexOf("\n", i + 1)) starts.push(i + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
  };
}

/** What YAML 1.2's core schema makes of an unquoted scalar. */
export function resolvePlain(text: string): string | number | boolean | null {
  if (/^(?:~|null|Null|NULL)?$/.test(text)) return null;
  if (/^(?:true|True|TRUE)$/.test(text)) return true;
  if (/^(?:false|False|FALSE)$/.test(text)) return false;
  if (/^[-+]?[0-9]+$/.test(text) || /^0x[0-9A-Fa-f]+$/.test(text)) return Number(text);
  if (/^0o[0-7]+$/.test(text)) return Number.parseInt(text.slice(2), 8);
  if (/^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/.test(text)) return Number(text);
  if (/^\.(?:nan|NaN|NAN)$/.test(text)) return Number.NaN;
  if (/^[-+]?\.(?:inf|Inf|INF)$/.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
  return text;
}
