/** Which words of a text are imports. The parser decides, so the cases are those that would fool anything less. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { possibleImports, rewriteImports, unchangedSource } from "../../../src/run/rewrite.ts";

const leave = (specifier: string) => specifier === "fs";
const rewritten = (text: string, file = "/a.ts") =>
  rewriteImports(text, file, leave)?.text.replace(/\nexport \{\};$/, "");
const dyn = "globalThis.__csp+=";

describe("imports", () => {
  test.each([
    [`import a from "x";`, `import a from "csp:x";`],
    [`import "./x";`, `import "csp:./x";`],
    [`import * as a from 'x/y'`, `import * as a from 'csp:x/y'`],
    [
      `import a, { b as c } from /* "no" */ "x" with { type: "json" };`,
      `import a, { b as c } from /* "no" */ "csp:x" with { type: "json" };`,
    ],
    [`export * from "x"; export { a } from "y";`, `export * from "csp:x"; export { a } from "csp:y";`],
    [`import{a}from"x"`, `import{a}from"csp:x"`],
    [`import a from "file:///x.js"`, `import a from "csp:file:///x.js"`],
    [`import(x)`, `import(${dyn}x)`],
    [`await import("x", { with: {} })`, `await import(${dyn}"x", { with: {} })`],
    [`import(a ? "x" : b)`, `import(${dyn}a ? "x" : b)`],
    [`f(() => import\n(/* c */ "x"))`, `f(() => import\n(${dyn}/* c */ "x"))`],
    [`import.meta.resolve("x")`, `import.meta.resolve(${dyn}"x")`],
    [`(import.meta as any).resolveSync("x")`, `(import.meta as any).resolveSync(${dyn}"x")`],
    [`const a = \`import(\${import('x')})\``, `const a = \`import(\${import(${dyn}'x')})\``],
  ])("%s", (text, expected) => {
    expect(rewritten(text)).toBe(expected);
  });
});

describe("no imports", () => {
  test.each([
    `const a = 'import "x"';`,
    `const a = "import('x')", b = 'import("x")';`,
    `const a = \`import 'x'; \${1} from "x"\`;`,
    `// import "x"\n/* import("x") from "x" */`,
    `const a = /import("x") from "y"/;`,
    `import type a from "x"; export type { b } from "y"; type C = import("z").C; let d: typeof import("w");`,
    `import fs from "fs"; import path from "node:path"; import data from "data:text/javascript,";`,
    `a.import("x"); a.from("x"); const b = { from: "x" }; class C { import() {} }`,
    `const from = "x"`,
    `require("x"); exports.a = 1;`,
    `this does not parse import("x")`,
  ])("%s", (text) => {
    expect(rewritten(text)).toBeUndefined();
  });
});

test("real imports are found beside those in strings that would end the string", () => {
  const text = `const a = "import(x) from 'y'"; import b from "z"; const c = "import(" + b + ")"; import("w");`;
  expect(rewritten(text)).toBe(text.replace(`"z"`, `"csp:z"`).replace(`import("w")`, `import(${dyn}"w")`));
});

test("JSX is read in files that may hold it, and its runtime follows its comment", () => {
  expect(rewritten(`/** @jsxImportSource preact */ const a = <b>import "x"</b>;`, "/a.tsx")).toBe(
    `/** @jsxImportSource csp:preact */ const a = <b>import "x"</b>;`,
  );
  expect(rewritten(`const f = <T>(x: T) => x; import("x");`, "/a.ts")).toContain(dyn);
});

describe("the format", () => {
  test.each([
    [`import "x"; module.exports = 1`, "/a.ts", "module"],
    [`import("x")`, "/a.js", "module"],
    [`import("x"); exports.a = 1`, "/a.js", "commonjs"],
    [`import("x")`, "/a.cjs", "commonjs"],
    [`const a = require("y"); await import("x")`, "/a.js", "module"],
    [`const a = require("y"); await (import("x"))`, "/a.js", "module"],
    [`const a = require("y"); (async () => { await (import("x")) })()`, "/a.js", "commonjs"],
    [`require("y"); import("x"); import.meta.url`, "/a.js", "module"],
    [`import("x"); export const module = 1`, "/a.js", "module"],
    [`const a: string = __filename; import("x")`, "/a.ts", "commonjs"],
  ])("%s in %s is a %s", (text, file, format) => {
    expect(rewriteImports(text, file, leave)?.format).toBe(format as "module");
  });

  test("a CommonJS text knows its file when types are taken out", () => {
    expect(rewriteImports(`const a: string = __filename + __dirname; import("x")`, "/d/a.ts", leave)?.text).toMatch(
      /"\/d\/a\.ts".*"\/d"/s,
    );
    expect(
      unchangedSource(`const a: string = __filename; module.exports = a`, "/c/code.ts", "/d/[code]").text,
    ).toContain(`"/d/[code]"`);
  });
});

test("what a package may import is never too little", () => {
  expect(possibleImports(`import a from "x"; import("y"); import('./z'); export * from "w"`)).toEqual({
    specifiers: ["x", "w", "y", "./z"],
    computed: false,
  });
  for (const text of ["import(x)", "import(`x`)", `import("x" + y)`, `import.meta.resolve(x)`]) {
    expect(possibleImports(text).computed).toBe(true);
  }
});

test("any order of real and false imports is told apart", () => {
  const real = fc.constantFrom(`import "r";`, `export * from 'r';`, `import("r");`, "import(`r`);");
  const fake = fc.constantFrom(
    `"import('f')";`,
    `'import("f")';`,
    "`import 'f'`;",
    `// from "f"\n`,
    `/* import("f") */`,
    `/from "f"/;`,
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(real, fake), { maxLength: 12 }), (parts) => {
      const expected = parts.map((part) =>
        part.replace(/^(import |export \* from )(["'])r/, `$1$2csp:r`).replace(/^import\((?=["`]r)/, `import(${dyn}`),
      );
      const text = parts.join("\n");
      expect(rewritten(text) ?? text).toBe(expected.join("\n"));
    }),
  );
});
