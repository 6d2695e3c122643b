/** What kind of module a text is. Node asks the same question of a file without an ending that says so. */

/** True where the text is a CommonJS module: it has nothing that only a module may hold. Nothing of it is run. */
export function parsesAsCommonJs(javascript: string): boolean {
  if (!parses(javascript) || usesImportMeta(javascript, "js")) return false;
  // In a function `await (x)` is the call of something named await; in a static block the word is reserved.
  return !/\bawait\s*[([`]/.test(javascript) || parses(`class C { static { ${javascript}\n} }`);
}

/** Code for a Node that may not know TypeScript, and its `--input-type`. */
export interface NodeCode {
  text: string;
  inputType: "module" | "commonjs";
}

/** Compiles TypeScript away where there is any; other code is left as it is. Code that does not parse is Node's to refuse. */
export function codeForNode(code: string): NodeCode {
  const text = withoutTypes(code.startsWith("#!") ? `//${code.slice(2)}` : code);
  return { text, inputType: parsesAsCommonJs(text) ? "commonjs" : "module" };
}

function withoutTypes(code: string): string {
  try {
    new Bun.Transpiler({ loader: "js" }).scan(code);
    return code;
  } catch {
    // Either TypeScript or a mistake.
  }
  try {
    return new Bun.Transpiler({ loader: "ts" }).transformSync(code);
  } catch {
    return code;
  }
}

/** True where the text has an `import.meta`. Bun lets functions have it; its transpiler tells real ones from strings. */
export function usesImportMeta(javascript: string, loader: Bun.JavaScriptLoader): boolean {
  if (!/\bimport\s*\.\s*meta\b/.test(javascript)) return false;
  const mark = "csp_import_meta";
  const define = { "import.meta": mark };
  try {
    return new Bun.Transpiler({ loader, define }).transformSync(javascript).includes(mark);
  } catch {
    return false;
  }
}

function parses(body: string): boolean {
  try {
    new Function("exports", "require", "module", "__filename", "__dirname", body);
    return true;
  } catch {
    return false;
  }
}
