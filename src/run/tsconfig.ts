/**
 * The compiler settings Bun uses in a run. Bun applies `paths` and `baseUrl` of the tsconfig.json nearest to any file, in
 * packages too, so that file could redirect imports; it is replaced by one that only says how to compile.
 */
import { readFileSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { isObject, type JsonObject, parseJsonc } from "../core/jsonc.ts";
import { importScheme } from "./rewrite.ts";

/** Settings that change what code means and cannot change where it comes from. */
const kept = [
  "experimentalDecorators",
  "emitDecoratorMetadata",
  "useDefineForClassFields",
  "jsx",
  "jsxFactory",
  "jsxFragmentFactory",
  "verbatimModuleSyntax",
];

const longestChain = 8;

/** The text of the replacing tsconfig.json for scripts in a directory. Unreadable settings count as none. */
export function scriptTsconfig(directory: string): string {
  const options = nearestOptions(directory);
  const compilerOptions: JsonObject = {};
  for (const name of kept) {
    const value = options[name];
    if (value !== undefined) compilerOptions[name] = value;
  }
  // The JSX runtime is an import that stands in no source text; the scheme sends it through the hook like all others.
  const source = options.jsxImportSource;
  compilerOptions.jsxImportSource = `${importScheme}:${typeof source === "string" ? source : "react"}`;
  return `${JSON.stringify({ compilerOptions })}\n`;
}

function nearestOptions(directory: string): JsonObject {
  for (let at = directory; ; at = dirname(at)) {
    for (const name of ["tsconfig.json", "jsconfig.json"]) {
      const options = optionsOf(join(at, name), longestChain);
      if (options !== undefined) return options;
    }
    if (dirname(at) === at) return {};
  }
}

/** The file's own settings over those it extends by path; undefined where there is no such file. */
function optionsOf(file: string, chain: number): JsonObject | undefined {
  const text = readText(file);
  if (text === undefined) return undefined;
  const parsed = parseJsonc(text);
  if ("problem" in parsed || !isObject(parsed.value)) return {};
  const own = isObject(parsed.value.compilerOptions) ? parsed.value.compilerOptions : {};
  const bases = chain === 0 ? [] : [parsed.value.extends ?? []].flat();
  const inherited: JsonObject = {};
  for (const base of bases) {
    if (typeof base !== "string" || !/^\.{1,2}\/|^\//.test(base)) continue;
    const path = isAbsolute(base) ? base : join(dirname(file), base);
    Object.assign(inherited, optionsOf(path, chain - 1) ?? optionsOf(`${path}.json`, chain - 1));
  }
  return { ...inherited, ...own };
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
