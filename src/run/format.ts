/** What kind of module a text is. Node asks the same question of a file without an ending that says so. */

/** True where the text is a CommonJS module: it has nothing that only a module may hold. Nothing of it is run. */
export function parsesAsCommonJs(javascript: string): boolean {
  if (!parses(javascript)) return false;
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

function parses(body: string): boolean {
  try {
    new Function("exports", "require", "module", "__filename", "__dirname", body);
    return true;
  } catch {
    return false;
  }
}
