/** YAML to a tree with places, strict: one document, no anchors, tags, directives or merge keys. The home of the library. */
import type { Composer as ComposerType, Node, Pair, YAMLParseError } from "yaml";
import { quoted } from "./quote.ts";
import { readPlainYaml } from "./yaml-plain.ts";
import { deepest, type Problem, type YamlMap, type YamlNode, type YamlPair, type YamlScalar } from "./yaml-tree.ts";

type Library = typeof import("yaml");

/** More text is refused unread, in characters. 8,000 packages fit; the library needs seconds for the worst text of that size. */
export const largest = 256 * 1024;

export type YamlResult = { ok: true; root: YamlNode | undefined } | { ok: false; problems: readonly Problem[] };

/** Reads a text without byte order mark. Never throws, for whatever text. */
export function readYaml(text: string): YamlResult {
  if (text.length > largest) {
    return failed(0, `the file has ${text.length} characters; csp reads at most ${largest}`);
  }
  const plain = readPlainYaml(text);
  return plain === "beyond" ? readWithLibrary(text) : { ok: true, root: plain };
}

/** The same without the shortcut for ordinary files. */
export function readWithLibrary(text: string): YamlResult {
  const bad = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u0084\u0086-\u009f\ufeff\ufffe\uffff]|\r(?!\n)/.exec(
    text,
  );
  if (bad) return failed(bad.index, "a control character, which YAML does not allow");
  const conflict = /^(?:<{7}|={7}|>{7})(?:[ \r]|$)/m.exec(text);
  if (conflict)
    return failed(conflict.index, "an unfinished merge: the marks of a merge conflict are still in the file");
  const library = loadLibrary();
  const tokens = tokenize(library, text);
  if (!Array.isArray(tokens)) return failed(tokens.tooDeepAt, `nested deeper than ${deepest} levels`);

  for (const token of tokens) {
    if (token.type === "directive") return failed(token.offset, "a `%` directive, which csp does not read: remove it");
    if (token.type === "doc-end") return failed(token.offset, "`...`, which csp does not read: remove it");
  }
  const second = tokens.filter((token) => token.type === "document")[1];
  if (second) return failed(second.offset, "a second document; an allowlist is one document, so remove the `---`");

  const composer: ComposerType = new library.Composer({
    uniqueKeys: false,
    keepSourceTokens: true,
    logLevel: "silent",
  });
  const [document] = composer.compose(tokens, true, text.length);
  if (!document || document.errors.length > 0) {
    return { ok: false, problems: (document?.errors ?? []).slice(0, 5).map(translate) };
  }
  const problems: Problem[] = [];
  const contents = document.contents as Node | null;
  const root = isEmpty(library, contents) ? undefined : convert(library, contents, 0, { text, problems });
  return problems.length > 0 ? { ok: false, problems } : { ok: true, root };
}

/** True for a document of nothing, or of comments. */
function isEmpty(library: Library, node: Node | null): boolean {
  if (node === null) return true;
  const bare = library.isScalar(node) && node.anchor === undefined && node.tag === undefined;
  return bare && node.range?.[0] === node.range?.[1];
}

/** Loaded when first needed: most runs never need it. A synchronous load keeps parsing synchronous. */
function loadLibrary(): Library {
  return require("yaml") as Library;
}

function failed(offset: number, text: string): YamlResult {
  return { ok: false, problems: [{ offset, text }] };
}

type Token = Parameters<ComposerType["next"]>[0];

/** The library's tokens; its later stages recurse, so the depth is limited here, where they are produced. */
function tokenize(library: Library, text: string): Token[] | { tooDeepAt: number } {
  const tokens: Token[] = [];
  const parser = new library.Parser();
  for (const lexeme of new library.Lexer().lex(text)) {
    const offset = parser.offset;
    for (const token of parser.next(lexeme)) tokens.push(token);
    // A map takes up to two places on the parser's stack (itself and a scalar), the document one.
    if (parser.stack.length > 2 * deepest) return { tooDeepAt: offset };
  }
  for (const token of parser.end()) tokens.push(token);
  return tokens;
}

interface Context {
  text: string;
  problems: Problem[];
}

function convert(library: Library, node: Node | null, missingAt: number, context: Context): YamlNode {
  const from = node?.range?.[0] ?? missingAt;
  const to = trimmedEnd(context.text, from, node?.range?.[1] ?? missingAt);
  const missing: YamlScalar = {
    kind: "scalar",
    style: "plain",
    value: null,
    source: "",
    from: missingAt,
    to: missingAt,
  };
  if (node === null || node === undefined) return missing;
  if (library.isAlias(node) || ("anchor" in node && node.anchor !== undefined)) {
    context.problems.push({
      offset: from,
      text: "an anchor or alias (`&` or `*`), which csp does not read: write the value out",
    });
    return missing;
  }
  if (node.tag !== undefined) {
    context.problems.push({ offset: from, text: "a tag (`!`), which csp does not read: remove it" });
    return missing;
  }
  if (library.isMap(node)) {
    const pairs = node.items.map((pair) => convertPair(library, pair as Pair<Node, Node | null>, context));
    const map: YamlMap = { kind: "map", flow: node.flow === true, from, to, pairs };
    // The library counts trailing comments and line breaks as part of a block.
    return map.flow ? map : { ...map, to: pairs.at(-1)?.value.to ?? to };
  }
  if (library.isSeq(node)) {
    const items = node.items.map((item) => convert(library, item as Node, from, context));
    return { kind: "list", flow: node.flow === true, from, to: node.flow ? to : (items.at(-1)?.to ?? to), items };
  }
  if (!library.isScalar(node)) return missing;
  const styles: Readonly<Record<string, YamlScalar["style"]>> = {
    QUOTE_DOUBLE: "double",
    QUOTE_SINGLE: "single",
    PLAIN: "plain",
  };
  const value = node.value as YamlScalar["value"];
  if (from === to) return missing;
  const source = context.text.slice(from, to);
  return { kind: "scalar", style: styles[node.type ?? ""] ?? "block", value, source, from, to };
}

function convertPair(library: Library, pair: Pair<Node, Node | null>, context: Context): YamlPair {
  const key = convert(library, pair.key, pair.value?.range?.[0] ?? 0, context);
  const colon = context.text.indexOf(":", key.to);
  const value = convert(library, pair.value ?? null, colon < 0 ? key.to : colon + 1, context);
  const source = (pair.srcToken as { start?: { type: string }[] } | undefined)?.start ?? [];
  let problem: string | undefined;
  if (key.kind !== "scalar" || source.some((token) => token.type === "explicit-key-ind")) {
    problem = "a key that is not a plain word: write it as `name: value`";
  } else if (key.from === key.to) {
    problem = "a value without a key before it";
  } else if (key.style === "plain" && key.value === null) {
    problem = `${quoted(key.source)} as a key means nothing in YAML: quote it`;
  } else if (key.style === "plain" && key.source === "<<") {
    problem = "a merge key (`<<`), which csp does not read: write the values out";
  }
  if (problem !== undefined) context.problems.push({ offset: key.from, text: problem });
  if (key.kind !== "scalar")
    return {
      key: { kind: "scalar", style: "plain", value: null, source: "", from: key.from, to: key.to },
      name: "",
      value,
    };
  return { key, name: key.style === "plain" ? key.source : String(key.value), value };
}

/** Block scalars end behind their line break; everything else ends where it ends. */
function trimmedEnd(text: string, from: number, to: number): number {
  let end = to;
  while (end > from && /[ \t\r\n]/.test(text[end - 1] ?? "")) end--;
  return end;
}

/** The library's errors in csp's words. */
function translate(error: YAMLParseError): Problem {
  const offset = error.pos[0];
  if (error.code === "TAB_AS_INDENT") return { offset, text: "a tab as indentation; YAML allows only spaces there" };
  if (error.code === "MISSING_CHAR" && error.message.includes("quote"))
    return { offset, text: "a quote that is never closed" };
  if (error.code === "BAD_SCALAR_START") {
    return { offset, text: "a value cannot start with that character: put it in quotes" };
  }
  if (error.code === "BLOCK_AS_IMPLICIT_KEY" || error.code === "MULTILINE_IMPLICIT_KEY") {
    return {
      offset,
      text: "a value, or a key without `:`, stands where neither can be; look at the indentation and the colons",
    };
  }
  const text = error.message.split("\n")[0] ?? "";
  // The library quotes the input, which is foreign.
  return { offset, text: `not YAML: ${quoted(text.charAt(0).toLowerCase() + text.slice(1)).slice(1, -1)}` };
}
