/** Where code stands that has no file, or no file with an ending; TypeScript and its settings. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { nodePath, printed, type RunOptions, run, sharedPlace } from "./fixture.ts";

const place = sharedPlace();

function code(text: string, options: RunOptions = {}): Promise<string[]> {
  return printed(place(), { source: { kind: "code", text }, ...options });
}

function stdin(text: string, options: RunOptions = {}): Promise<string[]> {
  return printed(place(), { source: { kind: "stdin" }, stdin: text, ...options });
}

function file(name: string, text: string, options: RunOptions = {}): Promise<string[]> {
  return printed(place(), { source: { kind: "file", path: place().host.write(name, text) }, ...options });
}

for (const runtime of ["bun", "node"] as const) {
  describe.skipIf(runtime === "node" && nodePath === null)(`on ${runtime}`, () => {
    const options: RunOptions = { runtime };

    test.each([
      ["the command line", code],
      ["standard input", stdin],
    ])("code from %s imports from the tree and beside the working directory", async (_, given) => {
      place().host.write("beside.mjs", `export const found = "beside";`);
      const text = `import dual from "dual"; import { found } from "./beside.mjs"; type A = string; const shown: A = dual;
        console.log(shown, found, (await import("dual/sub")).default, (await import("./beside.mjs")).found);`;
      expect(await given(text, options)).toEqual(["dual by import beside dual/sub beside"]);
    });

    test.each([
      ["the command line", code],
      ["standard input", stdin],
    ])("CommonJS code from %s requires from the tree and beside the working directory", async (_, given) => {
      place().host.write("beside.cjs", `exports.found = "beside";`);
      const text = `const dual = require("dual"); const { found } = require("./beside.cjs");
        import("dual").then((module) => console.log(dual, found, module.default, typeof exports, typeof __filename));`;
      expect(await given(text, options)).toEqual(["dual by require beside dual by import object string"]);
    });

    test("arguments belong to the code, whatever they look like", async () => {
      const args = ["add", "--version", "-e", "--", "a b", ""];
      const text = `console.log(JSON.stringify(process.argv.slice(-6)));`;
      expect(await code(text, { ...options, args })).toEqual([JSON.stringify(args)]);
      expect(await stdin(text, { ...options, args })).toEqual([JSON.stringify(args)]);
      expect(await file("args.mjs", text, { ...options, args })).toEqual([JSON.stringify(args)]);
    });

    test("code that starts with a minus sign or a #! line", async () => {
      expect(await code(`-console.log("minus")`, options)).toEqual(["minus"]);
      expect(await stdin(`#!/usr/bin/env -S csp run\nconsole.log(require("dual"));`, options)).toEqual([
        "dual by require",
      ]);
    });

    test("an import that fails in code names the package", async () => {
      const { stderr, exitCode } = await run(place().host, place().hooks, {
        ...options,
        source: { kind: "code", text: `import "decoy";` },
      });
      expect(exitCode).toBe(1);
      expect(stderr).toContain("`decoy` is not in the tree of this run");
    });
  });
}

describe("on bun", () => {
  test("a module without an ending runs where it stands", async () => {
    const { host } = place();
    host.write("beside.ts", `export const found: string = "beside";`);
    const text = `#!/usr/bin/env -S csp run\nimport dual from "dual"; import { found } from "./beside"; const shown: string = dual;
      console.log(shown, found, import.meta.main); console.log(import.meta.filename); console.log(process.argv[1]);
      console.log(import.meta.url === Bun.pathToFileURL(import.meta.path).href, import.meta.resolve("./beside.ts").endsWith("/scripts/beside.ts"));`;
    const path = join(host.scripts, "check");
    expect(await file("check", text)).toEqual(["dual by import beside true", path, path, "true true"]);
  });

  test("a CommonJS file without an ending runs where it stands", async () => {
    const text = `console.log(require("dual"), require("./beside.cjs").found); console.log(__filename); console.log(this === exports);
      import("dual").then((module) => console.log(module.default));`;
    place().host.write("beside.cjs", `exports.found = "beside";`);
    expect(await file("legacy-check", text)).toEqual([
      "dual by require beside",
      join(place().host.scripts, "legacy-check"),
      "true",
      "dual by import",
    ]);
  });

  test("a link to a script runs what it leads to, in its place", async () => {
    const { host } = place();
    host.write("real/lib.mjs", `export const found = "beside the real one";`);
    const real = host.write(
      "real/main.ts",
      `import { found } from "./lib.mjs"; import dual from "dual"; console.log(found, dual);`,
    );
    const { symlinkSync } = await import("node:fs");
    symlinkSync(real, join(host.scripts, "linked.ts"));
    const source = { kind: "file", path: join(host.scripts, "linked.ts") } as const;
    expect(await printed(place(), { source })).toEqual(["beside the real one dual by import"]);
  });

  test("JSX takes its runtime from the tree", async () => {
    expect(await file("view.tsx", `console.log(<b />);`)).toEqual(["jsx of the tree: b"]);
    expect(await file("pragma.jsx", `/** @jsxImportSource react */\nconsole.log(<i />);`)).toEqual([
      "jsx of the tree: i",
    ]);
  });

  test("compiler settings that change code are kept, those that redirect imports are not", async () => {
    const { host } = place();
    const settings = { extends: "./base.json", compilerOptions: { paths: { dual: ["./decoy.ts"] } } };
    host.write("legacy/tsconfig.json", JSON.stringify(settings));
    host.write("legacy/base.json", `{ "compilerOptions": { "experimentalDecorators": true, } } // as tsc reads it`);
    host.write("legacy/decoy.ts", `export default "DECOY";`);
    const text = `import dual from "dual"; const seen: number[] = [];
      const mark = (...words: unknown[]) => void seen.push(words.length);
      class A { @mark method() {} }
      console.log(dual, seen[0], typeof A);`;
    expect(await file("legacy/main.ts", text)).toEqual(["dual by import 3 function"]);
  });

  test("a TypeScript file may be CommonJS, and types cost no import", async () => {
    const text = `import type { Nothing } from "not-there"; import parent = require("parent");
      const shown: Nothing = parent.child; console.log(shown, require("dual") as string); export = {};`;
    expect(await file("common.cts", text)).toEqual(["child of the tree dual by require"]);
    expect(
      await file(
        "types.ts",
        `import { type A } from "./types-only.ts"; import type B from "decoy"; const a: A | B = 1; console.log(a); export type A = number;`.replace(
          'import { type A } from "./types-only.ts"; ',
          "",
        ),
      ),
    ).toEqual(["1"]);
  });

  test("settings and variables beside the script have no say", async () => {
    const text = `console.log(process.env.FROM_ENV_FILE, process.env.NODE_PATH);`;
    expect(await file("../plain.ts", text, { cwd: join(place().host.root, "project") })).toEqual([
      "undefined undefined",
    ]);
  });
});

test("on a Node without TypeScript, a script in it says what to do", async () => {
  if (nodePath === null) return;
  const probe = Bun.spawnSync([nodePath, "-p", "Boolean(process.features.typescript)"]);
  if (probe.stdout.toString().trim() === "true") {
    expect(await file("typed.mts", `const a: string = "typed"; console.log(a);`, { runtime: "node" })).toEqual([
      "typed",
    ]);
    return;
  }
  const { host, hooks } = place();
  const source = { kind: "file", path: host.write("typed.mts", `const a: string = "typed";`) } as const;
  const { exitCode, stderr } = await run(host, hooks, { runtime: "node", source });
  expect(exitCode).toBe(1);
  expect(stderr).toContain("this Node cannot run TypeScript (`typed.mts`)\n  help: leave out `--runtime node`");
});
