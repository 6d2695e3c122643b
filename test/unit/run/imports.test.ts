/** What an import of the user's code reaches: the tree, and nothing else, under both runtimes. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { attempts, nodePath, printed, type RunOptions, run, sharedPlace } from "./fixture.ts";

const place = sharedPlace();

/** Runs a file with this text and gives back what it printed. */
function lines(name: string, text: string, options: RunOptions): Promise<string[]> {
  const { host, hooks } = place();
  return printed({ host, hooks }, { source: { kind: "file", path: host.write(name, text) }, ...options });
}

for (const runtime of ["bun", "node"] as const) {
  const options: RunOptions = { runtime };
  const typescript = runtime === "bun";
  describe.skipIf(runtime === "node" && nodePath === null)(`on ${runtime}`, () => {
    test("an ES module imports from the tree", async () => {
      const text = `import dual, { url } from "dual"; import * as parent from "parent"; import tools from "@acme/tools";
        import sub from "dual/sub"; import one from "dual/files/one"; import fs from "fs";
        console.log(dual); console.log(parent.child); console.log(tools); console.log(sub); console.log(one);
        console.log(typeof fs.readFileSync); console.log(url === "file://" + encodeURI(${JSON.stringify("@")}));`;
      const { host } = place();
      const file = join(host.data, "packages", "v1", "dual@1.0.0-0", "node_modules", "dual", "import.mjs");
      expect(await lines("esm.mjs", text.replace('"@"', JSON.stringify(file)), options)).toEqual([
        "dual by import",
        "child of the tree",
        "tools with child of the tree",
        "dual/sub",
        "dual/files/one",
        "function",
        "true",
      ]);
    });

    test("a CommonJS module requires from the tree", async () => {
      const text = `console.log(require("dual")); console.log(require("parent").child); console.log(require("dual/data.json").answer);
        console.log(require.resolve("dual").endsWith("require.cjs"), require.main === module, __filename.endsWith("cjs.cjs"));
        console.log(require("node:module").createRequire(__filename)("dual"));`;
      expect(await lines("cjs.cjs", text, options)).toEqual([
        "dual by require",
        "child of the tree",
        "42",
        "true true true",
        "dual by require",
      ]);
    });

    test("import() works from a CommonJS module, as the main file, required and imported", async () => {
      const { host } = place();
      const text = `exports.late = import("dual").then((found) => found.default); exports.main = require.main === module;
        exports.file = require("node:path").basename(__filename); if (exports.main) exports.late.then(console.log);`;
      host.write("late.cjs", text);
      expect(await lines("late.cjs", text, options)).toEqual(["dual by import"]);
      const required = `const { late, main, file } = require("./late.cjs"); late.then((found) => console.log(found, main, file));`;
      expect(await lines("requires-late.cjs", required, options)).toEqual(["dual by import false late.cjs"]);
      const imported = `import late, { main } from "./late.cjs"; console.log(await late.late, main, late.file);`;
      expect(await lines("imports-late.mjs", imported, options)).toEqual(["dual by import false late.cjs"]);
    });

    test("every way to ask for a package ends in the tree", async () => {
      const text = `import { createRequire } from "node:module";${attempts}
        const require = createRequire(import.meta.url); const name = ["du", "al"].join("");
        await attempt(() => import(name)); await attempt(() => import(true ? "dual" : "decoy"));
        await attempt(() => import(/* a comment */ \`\${name}\`)); await attempt(() => import("dual", {}));
        await attempt(() => import.meta.resolve("dual").split("/").pop());
        await attempt(() => require.resolve(name, { paths: ["/"] }).split("/").pop());
        await attempt(() => createRequire("/")("dual"));`;
      expect(await lines("ways.mjs", text, options)).toEqual([
        "dual by import",
        "dual by import",
        "dual by import",
        "dual by import",
        "import.mjs",
        "require.cjs",
        "dual by require",
      ]);
    });

    test("what the tree has not is refused, wherever else it lies", async () => {
      const refused = (code: string) => `${code} \`decoy\` is not in the tree of this run`;
      const text = `import { createRequire } from "node:module";${attempts}
        const require = createRequire(import.meta.url);
        await attempt(() => import("decoy")); await attempt(() => require("decoy"));
        await attempt(() => require.resolve("decoy", { paths: [import.meta.dirname] }));
        await attempt(() => import.meta.resolve("decoy")); await attempt(() => import("child"));
        await attempt(() => import("#child")); await attempt(() => import("dual/hidden.js"));
        await attempt(() => import("#lib")); await attempt(() => import("ws"));`;
      place().host.write("lib.mts", `export default "own file";`);
      const expected = [
        refused("ERR_MODULE_NOT_FOUND"),
        refused("MODULE_NOT_FOUND"),
        refused("MODULE_NOT_FOUND"),
        refused("ERR_MODULE_NOT_FOUND"),
        "ERR_MODULE_NOT_FOUND `child` is not in the tree of this run",
        "ERR_MODULE_NOT_FOUND `#child` leads to a package through the script's own package.json",
        "ERR_MODULE_NOT_FOUND `dual/hidden.js` is not a file or an export of the installed package `dual`",
        typescript ? "own file" : expect.stringMatching(/own file|this Node cannot run TypeScript/),
        "ERR_MODULE_NOT_FOUND `ws` is not in the tree of this run",
      ];
      expect(await lines("refused.mjs", text, options)).toEqual(expected);
    });

    test("a static import of what is not there names it, the file and the command", async () => {
      const { host, hooks } = place();
      const path = host.write("static.mjs", `console.log("never");\nimport "./helper.mjs";`);
      host.write("helper.mjs", `import decoy from "decoy";`);
      const { exitCode, stdout, stderr } = await run(host, hooks, { ...options, source: { kind: "file", path } });
      expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
      expect(stderr).toContain("`decoy` is not in the tree of this run\n  help: run `csp add decoy`");
      expect(stderr).toContain(`imported from ${join(host.scripts, "helper.mjs")}`);
    });

    test("packages get their own dependencies and no others", async () => {
      const text = `import parent from "parent"; import { ask } from "@acme/tools";${attempts}
        await attempt(() => parent.ask("child")); await attempt(() => parent.ask("decoy")); await attempt(() => parent.ask("dual"));
        await attempt(() => parent.askFrom("dual", import.meta.dirname)); await attempt(() => parent.askFrom("decoy", import.meta.dirname));
        await attempt(() => ask("child")); await attempt(() => ask("decoy"));`;
      const printed = await lines("packages.mjs", text, options);
      expect(printed.join("\n")).not.toContain("DECOY");
      expect(printed[0]).toBe("child of the tree");
      expect(printed[1]).toStartWith("MODULE_NOT_FOUND Cannot find module");
      expect(printed[2]).toStartWith("MODULE_NOT_FOUND Cannot find module");
      expect(printed[3]).toBe("dual by require");
      expect(printed[4]).toBe("MODULE_NOT_FOUND `decoy` is not in the tree of this run");
      expect(printed[5]).toBe("child of the tree");
      expect(printed[6]).toStartWith("ERR_MODULE_NOT_FOUND Cannot find ");
    });

    test("a package that loads the user's file by path finds user code", async () => {
      const { host } = place();
      const config = host.write("config.mjs", `import dual from "dual"; export default "config with " + dual;`);
      const legacy = host.write("config.cjs", `module.exports = "config with " + require("dual");`);
      const text = `import parent from "parent";${attempts} await attempt(() => parent.load(${JSON.stringify(config)}));
        await attempt(() => parent.ask(${JSON.stringify(legacy)}));`;
      expect(await lines("loads-config.mjs", text, options)).toEqual([
        "config with dual by import",
        "config with dual by require",
      ]);
    });

    test("relative imports and the script's own place are the real ones", async () => {
      const { host } = place();
      host.write("lib/index.mjs", `import dual from "dual"; export const here = import.meta.url, found = dual;`);
      host.write("lib/data.json", `{ "answer": 42 }`);
      const text = `import { here, found } from "./lib/index.mjs"; import { readFileSync } from "node:fs";
        console.log(here === new URL("./lib/index.mjs", import.meta.url).href, found, process.argv[1] === import.meta.filename);
        console.log(JSON.parse(readFileSync(new URL("lib/data.json", import.meta.url), "utf8")).answer);
        console.log((await import("./lib/index.mjs?again")).here.endsWith("?again"));`;
      expect(await lines("relative.mjs", text, options)).toEqual(["true dual by import true", "42", "true"]);
    });

    test("text that looks like an import stays as it is", async () => {
      const text = `const a = 'import x from "dual"; import("dual"); require("dual")', b = "import('x')", c = \`import "y"\`;
        // import "decoy"
        console.log(a); console.log(b); console.log(c); console.log(/from "dual"/.source); import "dual";`;
      expect(await lines("text.mjs", text, options)).toEqual([
        'import x from "dual"; import("dual"); require("dual")',
        "import('x')",
        'import "y"',
        'from "dual"',
      ]);
    });

    test("a tree that stops being current keeps serving its scripts", async () => {
      const { host } = place();
      const text = `import { renameSync, symlinkSync, rmSync } from "node:fs"; const current = ${JSON.stringify(join(host.data, "current"))};
        symlinkSync("trees/other", current + ".new"); renameSync(current + ".new", current);
        console.log((await import("dual")).default, (await import("@acme/tools")).default);`;
      expect(await lines("late.mjs", text, options)).toEqual(["dual by import tools with child of the tree"]);
    });
  });
}
