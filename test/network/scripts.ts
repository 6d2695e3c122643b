/** The scripts that import the packages, the same in each installation: two small modules a package. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { realPackages } from "./list.ts";

/** What a line of a script's answer begins with; packages may print, too. */
export const answerMark = "csp-answer ";

/** Path of a package's script in the folder of an installation. */
export function scriptOf(name: string): string {
  return `scripts/${name.replace("/", "+")}.mjs`;
}

/** Imports by a module beside it that says `import * as`, then by require, and says what each gave. */
function mainScript(name: string): string {
  return `import { createRequire } from "node:module";
import { writeSync } from "node:fs";
const say = (how, what) => writeSync(1, "\\n${answerMark}" + JSON.stringify([how, what]) + "\\n");
const failed = (error) => ({ error: String(error?.code ?? error?.name ?? error), message: String(error?.message ?? error) });
try {
  say("import", { names: (await import("./${name.replace("/", "+")}.names.mjs")).default });
} catch (error) {
  say("import", failed(error));
}
try {
  const all = createRequire(import.meta.url)("${name}");
  say("require", { names: [typeof all, ...Object.keys(Object(all)).sort()] });
} catch (error) {
  say("require", failed(error));
}
process.exit(0);
`;
}

/** Writes the scripts of all packages below a folder. */
export function writeScripts(folder: string): void {
  mkdirSync(join(folder, "scripts"), { recursive: true });
  for (const { name } of realPackages) {
    const path = join(folder, scriptOf(name));
    writeFileSync(path, mainScript(name));
    writeFileSync(
      path.replace(/mjs$/, "names.mjs"),
      `import * as all from "${name}";\nexport default Object.keys(all).sort();\n`,
    );
  }
}
