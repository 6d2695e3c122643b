/**
 * The package sets of the crowd: every set has the same names, and every file of every version says of which sets it is.
 * Whoever reads files whose sets have none in common has read from two trees.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { PackageSpec } from "../support/packages.ts";

export const setCount = 6;
/** The one whose tree holds files of its own. */
const hoistedSet = 5;

/** What a script imports at once, and what it imports late; `deep` comes with `five` and `six`. */
export const earlyNames = ["one", "two", "steady"] as const;
export const lateNames = ["three", "four", "five", "six", "pair"] as const;

/** All versions of all sets. `steady` is the same in all, `pair` in two at a time: their instances are shared. */
export function setPackages(): PackageSpec[] {
  const all = Array.from({ length: setCount }, (_, set) => set);
  const own = all.flatMap((set) => [
    ...["one", "two", "three", "four", "deep"].map((name) => spec(name, `1.0.${set}`, [set])),
    spec("five", `1.0.${set}`, [set], set),
    spec("six", `1.0.${set}`, [set], set),
  ]);
  const pairs = all.filter((set) => set % 2 === 0).map((set) => spec("pair", `2.0.${set / 2}`, [set, set + 1]));
  return [...own, ...pairs, spec("steady", "3.0.0", all), spec("extra", "1.0.0", all)];
}

/** `late` reads files of the package that importing it did not read. */
function spec(name: string, version: string, sets: readonly number[], deep?: number): PackageSpec {
  const text = JSON.stringify(sets);
  const dependencies = deep === undefined ? {} : { deep: `1.0.${deep}` };
  const more = deep === undefined ? "" : `.concat(require("deep").late())`;
  const index = `exports.sets = ${text};\nexports.late = () => [require("./part.js").sets, data()]${more};\n`;
  return {
    name,
    version,
    files: {
      "package.json": JSON.stringify({ name, version, dependencies }),
      "index.js": `${index}const data = () => JSON.parse(require("node:fs").readFileSync(__dirname + "/data.json", "utf8"));\n`,
      "part.js": `exports.sets = ${text};\n`,
      "data.json": text,
    },
  };
}

/** Writes a project folder for each set, which still have to be locked, and gives their paths. */
export function writeProjects(directory: string, registry: string): string[] {
  return Array.from({ length: setCount }, (_, set) => {
    const folder = join(directory, `set-${set}`);
    mkdirSync(folder);
    const names = [...earlyNames, ...lateNames].filter((name) => name !== "steady" && name !== "pair");
    const versions = { ...Object.fromEntries(names.map((name) => [name, `1.0.${set}`])) };
    const lines = Object.entries({ ...versions, pair: `2.0.${set >> 1}`, steady: "3.0.0" });
    const packages = lines.map(([name, version]) => `  ${name}: ${version}\n`).join("");
    const linker = set === hoistedSet ? "linker: hoisted\n" : "";
    writeFileSync(
      join(folder, "script-packages.yaml"),
      `packages:\n${packages}registry:\n  url: ${registry}/\n${linker}`,
    );
    return folder;
  });
}

/** Writes the modules with plain import statements, which the compiler of this checkout must not see, and their names. */
export function writeImports(directory: string): void {
  for (const [file, names] of Object.entries({ early: earlyNames, late: lateNames })) {
    const imports = names.map((name) => `import * as ${name} from "${name}";\n`).join("");
    writeFileSync(join(directory, `${file}.ts`), `${imports}export const all = [${names.join(", ")}];\n`);
    writeFileSync(join(directory, `${file}-names.ts`), `export const names = ${JSON.stringify(names)};\n`);
  }
}
