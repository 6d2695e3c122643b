/**
 * Makes Bun ask about every import of the user's code. Bun gives a plugin only the specifiers that hold a `:` or look
 * like a file name, so `import "lodash"` would be looked up beside the script unasked. Here it becomes
 * `import "csp:lodash"`, and `import(x)` becomes `import(globalThis.__csp += x)`, where reading `__csp` gives `csp:`:
 * an assignment takes whatever expression follows, so its end need not be known.
 *
 * A regular expression finds what may be an import, strings and comments included. What is one is decided by Bun's own
 * parser: each candidate gets a mark, and the marks that the parser reports as imports are real. Lines stay as they are.
 */
import { parsesAsCommonJs, usesImportMeta } from "./format.ts";

export const importScheme = "csp";
/** Name of the global whose value is always `csp:`. */
export const importGlobal = "__csp";

export interface RewrittenSource {
  /** A CommonJS module cannot be handed to Bun as changed text; its caller compiles it. */
  format: "module" | "commonjs";
  loader: "ts" | "tsx" | "jsx";
  text: string;
}

interface Candidate {
  /** Where the mark or the scheme goes. */
  at: number;
  kind: "static" | "dynamic";
  /** End of the specifier, for a static import. */
  end: number;
}

const gap = String.raw`(?:\s|/\*[^]*?\*/|//[^\n]*\n)*`;
const staticImport = new RegExp(String.raw`(?<![.\w$#])(?:from|import)${gap}(["'])([^"'\\\n]+)\1`, "g");
const dynamicImport = new RegExp(
  String.raw`(?<![.\w$#])import(?:\s*\.\s*meta(?:\s+as\s+\w+\s*\))?\s*\.\s*resolve(?:Sync)?)?${gap}\((?!\s*\))`,
  "g",
);
const literal = new RegExp(String.raw`${gap}(["'])([^"'\\\n]+)\1${gap}[,)]`, "y");
const jsxPragma = /@jsxImportSource\s+(?!csp:)(?=[^\s*])/g;
const mark = "csp-mark:";

/**
 * The text with its imports sent through the `csp:` scheme, or undefined where there is nothing to change. Static imports
 * that `leave` accepts stay; every import() changes, as nobody knows what it will ask for. `place` is what a CommonJS
 * module is told to be its file.
 */
export function rewriteImports(
  source: string,
  file: string,
  leave: (specifier: string) => boolean,
  place = file,
): RewrittenSource | undefined {
  if (!/\bimport\b|\bfrom\b|@jsxImportSource/.test(source)) return undefined;
  const loader = loaderOf(file);
  const transpiler = new Bun.Transpiler({ loader });
  // The parser takes no `#!` line when it is given text.
  const text = source.startsWith("#!") ? `//${source.slice(2)}` : source;
  const candidates = [...staticCandidates(text, leave), ...dynamicCandidates(text)].sort((a, b) => a.at - b.at);
  const real = realImports(transpiler, text, candidates);
  let out = edit(text, real, (candidate) =>
    candidate.kind === "static" ? `${importScheme}:` : `globalThis.${importGlobal}+=`,
  );
  if (loader !== "ts") out = out.replace(jsxPragma, (found) => `${found}${importScheme}:`);
  if (out === text) return undefined;
  const format = formatOf(transpiler, text, file, real);
  if (format === "commonjs") return { format, loader, text: compiledCommonJs(out, loader, place) };
  // Without a statement of a module in it, Bun would take the text for CommonJS and run nothing of it.
  return { format, loader, text: `${out}\nexport {};` };
}

/** The text with nothing changed but what Bun needs to load it from a plugin. */
export function unchangedSource(source: string, file: string, place = file): RewrittenSource {
  const loader = loaderOf(file);
  const text = source.startsWith("#!") ? `//${source.slice(2)}` : source;
  const format = formatOf(new Bun.Transpiler({ loader }), text, file, []);
  return { format, loader, text: format === "module" ? `${text}\nexport {};` : compiledCommonJs(text, loader, place) };
}

/** What a text may import, found without parsing it: too much rather than too little. */
export function possibleImports(text: string): { specifiers: string[]; computed: boolean } {
  const specifiers = [...text.matchAll(staticImport)].map((match) => match[2] ?? "");
  let computed = false;
  for (const { at } of dynamicCandidates(text)) {
    literal.lastIndex = at;
    const found = literal.exec(text)?.[2];
    if (found === undefined) computed = true;
    else specifiers.push(found);
  }
  return { specifiers, computed };
}

function compiledCommonJs(text: string, loader: RewrittenSource["loader"], place: string): string {
  if (loader === "jsx" && parsesAsCommonJs(text)) return text;
  // The transpiler would put a name of its own for the file's.
  const directory = place.slice(0, place.lastIndexOf("/")) || "/";
  const define = { __filename: JSON.stringify(place), __dirname: JSON.stringify(directory) };
  return new Bun.Transpiler({ loader, define }).transformSync(text);
}

/** A module may be imported by a file that has only an import() in it, so the parser's view and the name decide. */
function formatOf(
  transpiler: Bun.Transpiler,
  text: string,
  file: string,
  real: readonly Candidate[],
): RewrittenSource["format"] {
  if (/\.c[jt]s$/.test(file)) return "commonjs";
  if (/\.m[jt]s$/.test(file) || real.some((candidate) => candidate.kind === "static")) return "module";
  if (!/\b(?:module|exports|require|__filename|__dirname)\b/.test(text)) return "module";
  const { exports, imports } = transpiler.scan(text);
  if (exports.length > 0 || imports.some((found) => found.kind === "import-statement")) return "module";
  if (usesImportMeta(text, loaderOf(file))) return "module";
  return parsesAsCommonJs(transpiler.transformSync(text)) ? "commonjs" : "module";
}

function staticCandidates(text: string, leave: (specifier: string) => boolean): Candidate[] {
  return [...text.matchAll(staticImport)].flatMap((match) => {
    const specifier = match[2] ?? "";
    const end = match.index + match[0].length - 1;
    return needsNoScheme(specifier) || leave(specifier) ? [] : [{ at: end - specifier.length, end, kind: "static" }];
  });
}

function dynamicCandidates(text: string): Candidate[] {
  return [...text.matchAll(dynamicImport)].map((match) => {
    const at = match.index + match[0].length;
    return { at, end: at, kind: "dynamic" };
  });
}

/** URLs that are no file: `node:fs`, `data:…`. */
function needsNoScheme(specifier: string): boolean {
  return /^(?!file:)[a-z][a-z0-9+.-]*:/i.test(specifier);
}

function realImports(transpiler: Bun.Transpiler, text: string, candidates: readonly Candidate[]): Candidate[] {
  if (candidates.length === 0) return [];
  const together = marked(transpiler, text, candidates);
  if (together !== undefined) return together;
  // A mark inside a string can end the string. Alone, such a candidate shows itself: the text no longer parses.
  if (marked(transpiler, text, []) === undefined) return [];
  return candidates.filter((candidate) => marked(transpiler, text, [candidate])?.length === 1);
}

/** The candidates that the parser reports as imports; undefined where the text with the marks does not parse. */
function marked(transpiler: Bun.Transpiler, text: string, candidates: readonly Candidate[]): Candidate[] | undefined {
  const order = new Map(candidates.map((candidate, index) => [candidate, index]));
  const withMarks = edit(text, candidates, (candidate) => {
    const name = `${mark}${order.get(candidate)}:`;
    return candidate.kind === "static" ? name : `globalThis[import("${name}")]+=`;
  });
  try {
    const found = new Set(transpiler.scanImports(withMarks).map((entry) => entry.path));
    return candidates.filter((candidate, index) =>
      found.has(`${mark}${index}:${text.slice(candidate.at, candidate.end)}`),
    );
  } catch {
    return undefined;
  }
}

function edit(text: string, candidates: readonly Candidate[], insertion: (candidate: Candidate) => string): string {
  let out = "";
  let from = 0;
  for (const candidate of candidates) {
    out += text.slice(from, candidate.at) + insertion(candidate);
    from = candidate.at;
  }
  return out + text.slice(from);
}

function loaderOf(file: string): RewrittenSource["loader"] {
  if (/\.[mc]?ts$/.test(file)) return "ts";
  return /\.[mc]?jsx?$/.test(file) ? "jsx" : "tsx";
}
