/** The rules that the sources keep, as functions over source texts. Each gives the offending lines, `path:line: why: text`. */
import { dirname, join } from "node:path";

/** Path from the top of the project, with `/` → text. */
export type Sources = ReadonlyMap<string, string>;

export interface Import {
  specifier: string;
  line: number;
  text: string;
  /** `import()` and worker entries: loaded when the code reaches it. */
  dynamic: boolean;
  /** Vanishes when the types do. */
  typeOnly: boolean;
}

/** From the top down: a folder may import itself and folders of a lower row, but no other folder of its own row. */
export const layers: readonly (readonly string[])[] = [
  ["cli"],
  ["ops"],
  ["resolve", "registry", "store", "tree", "run"],
  ["fs", "net"],
  ["core"],
];

/** Where each library may be imported. A new one gets a line here and a page in docs/decisions. */
export const homes: Readonly<Record<string, string>> = {
  commander: "src/cli/",
  "@inquirer/prompts": "src/cli/",
  ora: "src/cli/",
  chalk: "src/cli/",
  yaml: "src/core/",
  semver: "src/resolve/",
  ini: "src/registry/",
  "registry-url": "src/registry/",
  tar: "src/store/",
  execa: "src/run/",
};

/** The entry of the command line: what it imports statically is paid for by every command. */
export const entry = "src/cli/main.ts";

/** Built-ins that touch nothing outside of the process and depend on nothing but their arguments. */
const pureBuiltIns = ["node:path", "node:path/posix", "node:buffer", "node:util"];
const pureOfBun = ["CryptoHasher", "hash", "JSONC", "deepEquals", "stringWidth", "semver"];

/** Every import of a text, by whole statements. */
export function importsOf(text: string): Import[] {
  const found: Import[] = [];
  const code = withoutComments(text);
  const add = (index: number, specifier: string | undefined, dynamic: boolean, typeOnly: boolean) => {
    if (specifier === undefined) return;
    const line = code.slice(0, index).split("\n").length;
    found.push({ specifier, line, text: text.split("\n")[line - 1]?.trim() ?? "", dynamic, typeOnly });
  };
  for (const match of code.matchAll(/^\s*(?:import|export)\s+(type\s)?([^"';]*?)\sfrom\s*["']([^"']+)["']/gm)) {
    const names = /^\{([^}]*)\}$/.exec(match[2]?.trim() ?? "")?.[1]?.split(",");
    const typeOnly = match[1] !== undefined || (names?.every((name) => /^\s*(?:type\s|$)/.test(name)) ?? false);
    add(match.index + match[0].search(/\S/), match[3], false, typeOnly);
  }
  for (const match of code.matchAll(/^\s*import\s*["']([^"']+)["']/gm)) {
    add(match.index + match[0].search(/\S/), match[1], false, false);
  }
  // A `$` means that the text is code csp writes, not code csp runs.
  for (const match of code.matchAll(/(typeof\s+)?\bimport\(\s*["']([^"'$]+)["']/g)) {
    add(match.index, match[2], true, match[1] !== undefined);
  }
  for (const match of code.matchAll(/\brequire\(\s*["']([^"']+)["']/g)) add(match.index, match[1], false, false);
  for (const match of code.matchAll(/\bnew URL\(\s*["'](\.[^"']+)["']/g)) add(match.index, match[1], true, false);
  return found;
}

/** Imports that point up, or sideways between folders of one row, or to a file of no layer. */
export function layerOffences(sources: Sources): string[] {
  return eachImport(sources, (path, found) => {
    if (!found.specifier.startsWith(".")) return undefined;
    const target = join(dirname(path), found.specifier);
    if (target === "package.json" && path.startsWith("src/cli/")) return undefined;
    const [from, to] = [folderOf(path), folderOf(target)];
    if (from === to && from !== undefined) return undefined;
    const [own, other] = [rowOf(from), rowOf(to)];
    if (own < 0) return "lies in no layer";
    if (other < 0) return `${target} lies in no layer`;
    if (other < own) return `${from} may not import ${to}, which is above it`;
    return other === own ? `${from} and ${to} may not import each other` : undefined;
  });
}

/** Libraries away from their home, and libraries without one. */
export function homeOffences(sources: Sources): string[] {
  return eachImport(sources, (path, { specifier }) => {
    const name = libraryOf(specifier);
    if (name === undefined) return undefined;
    const home = Object.hasOwn(homes, name) ? homes[name] : undefined;
    if (home === undefined) return `the library ${name} has no home`;
    return path.startsWith(home) ? undefined : `the home of the library ${name} is ${home}`;
  });
}

/** Libraries that the start of every command would load: those in the static imports of the entry, with the way there. */
export function startUpOffences(sources: Sources): string[] {
  const offences: string[] = [];
  const seen = new Set<string>();
  const visit = (path: string, way: readonly string[]) => {
    if (seen.has(path)) return;
    seen.add(path);
    for (const found of importsOf(sources.get(path) ?? "")) {
      if (found.dynamic || found.typeOnly) continue;
      const library = libraryOf(found.specifier);
      const place = `${path}:${found.line}: every command loads ${library} (${[...way, path].join(" → ")}): ${found.text}`;
      if (library !== undefined) offences.push(place);
      else if (found.specifier.startsWith(".")) visit(join(dirname(path), found.specifier), [...way, path]);
    }
  };
  visit(entry, []);
  return offences;
}

/** What core may not use: the file system, network, processes, clock, randomness. */
export function purityOffences(sources: Sources): string[] {
  const core = new Map([...sources].filter(([path]) => path.startsWith("src/core/")));
  return [
    ...eachImport(core, (_, { specifier }) => {
      const builtIn = /^(?:node:|bun(?::|$))/.test(specifier);
      return builtIn && !pureBuiltIns.includes(specifier) ? `core does not use ${specifier}` : undefined;
    }),
    ...eachUse(core, /(?<![\w.`"'])Bun\.(?:(?<name>\w+)|\$)/g, ({ name = "$" }) =>
      pureOfBun.includes(name) ? undefined : `core does not use Bun.${name}`,
    ),
    ...eachUse(
      core,
      /(?<![\w.`"'])(?:process\.|fetch\(|Date\.now\b|new Date\(\)|Math\.random\b|crypto\.|performance\.|setTimeout\(|setInterval\(|new Worker\()/g,
      () => "core is pure: no process, network, clock or randomness",
    ),
  ];
}

/** Reading argv, environment and working directory, printing and exiting anywhere but in cli. */
export function terminalOffences(sources: Sources, processesOfTheirOwn: readonly string[]): string[] {
  const below = new Map(
    [...sources].filter(([path]) => !path.startsWith("src/cli/") && !processesOfTheirOwn.includes(path)),
  );
  const use =
    /(?<![\w.`"'])(?:process\.(?:env|argv|stdout|stderr|stdin|exit|exitCode|cwd|chdir|on|once)\b|Bun\.(?:env|argv|main|stdout|stderr|stdin)\b|import\.meta\.(?:env|main)\b|console\.\w+|prompt\(|alert\()/g;
  return eachUse(below, use, () => "only cli reads the environment, prints or exits");
}

function eachImport(sources: Sources, judge: (path: string, found: Import) => string | undefined): string[] {
  const offences: string[] = [];
  for (const [path, text] of sources) {
    for (const found of importsOf(text)) {
      const why = judge(path, found);
      if (why !== undefined) offences.push(`${path}:${found.line}: ${why}: ${found.text}`);
    }
  }
  return offences;
}

function eachUse(
  sources: Sources,
  pattern: RegExp,
  judge: (groups: Record<string, string>) => string | undefined,
): string[] {
  const offences: string[] = [];
  for (const [path, text] of sources) {
    const original = text.split("\n");
    for (const [index, line] of withoutComments(text).split("\n").entries()) {
      for (const match of line.matchAll(pattern)) {
        const why = judge(match.groups ?? {});
        if (why !== undefined) offences.push(`${path}:${index + 1}: ${why}: ${original[index]?.trim()}`);
      }
    }
  }
  return offences;
}

function folderOf(path: string): string | undefined {
  return /^src\/([^/]+)\//.exec(path)?.[1];
}

function rowOf(folder: string | undefined): number {
  return layers.findIndex((row) => folder !== undefined && row.includes(folder));
}

/** The package of a specifier; undefined for relative ones and built-ins. */
function libraryOf(specifier: string): string | undefined {
  if (/^(?:\.|\/|node:|bun(?::|$))/.test(specifier)) return undefined;
  return /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0];
}

/** Blanks comments that begin a line, and `//` after a space; lines stay where they are. */
function withoutComments(text: string): string {
  return text
    .replace(/^[ \t]*\/\*[\s\S]*?\*\//gm, (comment) => comment.replace(/[^\n]/g, " "))
    .replace(/(^|\s)\/\/.*$/gm, (comment) => comment.replace(/[^\n]/g, " "));
}
