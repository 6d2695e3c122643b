/** The words of a script line: quoting and variables. */

/** An argument after expansion. */
export interface Word {
  text: string;
  /** The same as a regular expression: what came from variables matches itself. */
  pattern: string;
}

interface Segment {
  text: string;
  expands: boolean;
}

/**
 * Splits a line at white space. `'…'` is taken as it is (`''` inside is one quote), `"…"` keeps spaces but expands
 * variables. Throws on a quote that does not end.
 */
export function splitLine(line: string): Segment[][] {
  const words: Segment[][] = [];
  let word: Segment[] | undefined;
  const token = /(\s+)|'((?:[^']|'')*)'|"([^"]*)"|([^\s'"]+)|(.)/gy;
  for (const [, space, single, double, bare, stray] of line.matchAll(token)) {
    if (stray !== undefined) throw new Error(`a quote does not end: ${line}`);
    if (space !== undefined) {
      word = undefined;
      continue;
    }
    if (!word) {
      word = [];
      words.push(word);
    }
    if (single !== undefined) word.push({ text: single.replaceAll("''", "'"), expands: false });
    else word.push({ text: double ?? bare ?? "", expands: true });
  }
  return words;
}

/** Looks a variable up: `NAME`, or `NAME[argument]`. Undefined where there is none. */
export type Lookup = (name: string, argument: string | undefined) => string | undefined;

const variable = /\$(?:([A-Z][A-Z0-9_]*)|\{([A-Z][A-Z0-9_]*)\})(?:\[([^\]\s]*)\])?/g;

/** Expands the variables of a word. Throws on one that does not exist, so that a typing error cannot pass a test. */
export function expandWord(segments: readonly Segment[], lookup: Lookup): Word {
  let [text, pattern] = ["", ""];
  for (const segment of segments) {
    let last = 0;
    const literal = (part: string) => {
      text += part;
      pattern += part;
    };
    for (const match of segment.expands ? segment.text.matchAll(variable) : []) {
      const found = resolve(match, lookup);
      if (found === undefined) throw new Error(`no such variable: ${match[0]}`);
      literal(segment.text.slice(last, match.index));
      text += found.value;
      pattern += found.value.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
      last = match.index + found.length;
    }
    literal(segment.text.slice(last));
  }
  return { text, pattern };
}

/** Expands the variables that exist in the text of a file; leaves all else as it is. */
export function expandText(text: string, lookup: Lookup): string {
  return text.replace(variable, (...match) => {
    const found = resolve(match as unknown as RegExpMatchArray, lookup);
    return found === undefined ? match[0] : found.value + match[0].slice(found.length);
  });
}

function resolve(match: RegExpMatchArray, lookup: Lookup): { value: string; length: number } | undefined {
  const [whole, bare, braced, argument] = match;
  const name = bare ?? braced ?? "";
  if (argument !== undefined) {
    const value = lookup(name, argument);
    if (value !== undefined) return { value, length: whole.length };
  }
  const value = lookup(name, undefined);
  return value === undefined
    ? undefined
    : { value, length: whole.length - (argument === undefined ? 0 : argument.length + 2) };
}
