/** Each rule must be able to find what it forbids, and only that. */
import { describe, expect, test } from "bun:test";
import {
  homeOffences,
  importsOf,
  layerOffences,
  purityOffences,
  startUpOffences,
  terminalOffences,
} from "../../support/source-rules.ts";

const sources = (files: Record<string, string>) => new Map(Object.entries(files));

test("finds imports of every form, with their lines", () => {
  const text = [
    'import { a } from "./a.ts";',
    "import {",
    "  b,",
    "  type C,",
    '} from "./b.ts";',
    'import type { D } from "./d.ts";',
    'import { type E, type F } from "./e.ts";',
    'export { g } from "./g.ts";',
    'export * from "./h.ts";',
    'import "./i.ts";',
    'const j = await import("./j.ts");',
    'type K = typeof import("./k.ts");',
    'new Worker(new URL("./l.ts", import.meta.url));',
    "import m from './m.ts';",
    '// import { n } from "./n.ts";',
    "/**",
    ' * import { o } from "./o.ts";',
    " */",
    'const text = "import nothing";',
  ].join("\n");
  const found = importsOf(text).map((each) => {
    const kind = (each.dynamic ? "later " : "") + (each.typeOnly ? "type " : "");
    return `${each.line} ${kind}${each.specifier}`;
  });
  expect(found.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))).toEqual([
    "1 ./a.ts",
    "2 ./b.ts",
    "6 type ./d.ts",
    "7 type ./e.ts",
    "8 ./g.ts",
    "9 ./h.ts",
    "10 ./i.ts",
    "11 later ./j.ts",
    "12 later type ./k.ts",
    "13 later ./l.ts",
    "14 ./m.ts",
  ]);
});

describe("layers", () => {
  const offences = (path: string, specifier: string) =>
    layerOffences(sources({ [path]: `\nimport type { X } from "${specifier}";` }));
  test("up, also for types", () => {
    expect(offences("src/core/a.ts", "../fs/b.ts")).toEqual([
      'src/core/a.ts:2: core may not import fs, which is above it: import type { X } from "../fs/b.ts";',
    ]);
    expect(offences("src/tree/a/b.ts", "../../ops/c.ts")).toHaveLength(1);
  });
  test("sideways", () => expect(offences("src/tree/a.ts", "../store/b.ts")[0]).toContain("may not import each other"));
  test("out of src", () => expect(offences("src/cli/a.ts", "../../test/b.ts")[0]).toContain("lies in no layer"));
  test("from nowhere", () => expect(offences("src/misc/a.ts", "../core/b.ts")[0]).toContain("lies in no layer"));
  test("only cli reads package.json", () => {
    expect(offences("src/cli/a.ts", "../../package.json")).toEqual([]);
    expect(offences("src/ops/a.ts", "../../package.json")).toHaveLength(1);
  });
  test("down and within is fine", () => {
    expect(offences("src/cli/a.ts", "../ops/b.ts")).toEqual([]);
    expect(offences("src/run/a.ts", "../core/b.ts")).toEqual([]);
    expect(offences("src/run/a.ts", "./deep/b.ts")).toEqual([]);
  });
});

test("libraries have one home", () => {
  const text = 'import { x } from "commander";\nimport y from "@inquirer/prompts/deep";\nimport { z } from "node:fs";';
  expect(homeOffences(sources({ "src/cli/a.ts": text }))).toEqual([]);
  expect(homeOffences(sources({ "src/ops/a.ts": text }))).toHaveLength(2);
  expect(homeOffences(sources({ "src/cli/a.ts": 'await import("left-pad")' }))[0]).toContain("left-pad has no home");
  // biome-ignore lint/suspicious/noTemplateCurlyInString: text of a source, not of this file
  expect(homeOffences(sources({ "src/run/a.ts": 'return `import("${name}")`;' }))).toEqual([]);
});

test("the start loads no library, however far away", () => {
  const files = {
    "src/cli/main.ts": 'import { a } from "./a.ts";\nimport type { T } from "./t.ts";\nawait import("./later.ts");',
    "src/cli/a.ts": 'import { b } from "../core/b.ts";',
    "src/core/b.ts": 'import { parse } from "yaml";',
    "src/cli/t.ts": 'import "chalk";',
    "src/cli/later.ts": 'import "ora";',
  };
  expect(startUpOffences(sources(files))).toEqual([
    "src/core/b.ts:1: every command loads yaml (src/cli/main.ts → src/cli/a.ts → src/core/b.ts): " +
      'import { parse } from "yaml";',
  ]);
});

describe("core", () => {
  const offences = (text: string) => purityOffences(sources({ "src/core/a.ts": text }));
  const impure = [
    'import { readFileSync } from "node:fs";',
    'import { dlopen } from "bun:ffi";',
    "const x = Bun.file(path);",
    "await Bun.$`ls`;",
    "const x = process.platform;",
    "const now = Date.now();",
    "const now = new Date();",
    "Math.random()",
    "await fetch(url)",
    "crypto.randomUUID()",
  ];
  for (const text of impure) test(text, () => expect(offences(text)).toHaveLength(1));
  test("pure code passes", () => {
    const text =
      'import { posix } from "node:path";\nnew Bun.CryptoHasher("sha256");\nnew Date(now).toISOString();\n/** `process.arch` */\n// Date.now()\nconst m = "`process.env`";';
    expect(offences(text)).toEqual([]);
  });
});

describe("terminal", () => {
  const offences = (path: string, text: string) => terminalOffences(sources({ [path]: text }), ["src/tree/worker.ts"]);
  const uses = ["process.env.X", "process.argv[2]", "process.cwd()", "process.exit(1)", "console.log(1)", "Bun.env.X"];
  for (const use of uses) {
    test(use, () => {
      expect(offences("src/ops/a.ts", use)).toHaveLength(1);
      expect(offences("src/cli/a.ts", use)).toEqual([]);
      expect(offences("src/tree/worker.ts", use)).toEqual([]);
    });
  }
  test("process.pid and words in messages pass", () => {
    expect(offences("src/fs/a.ts", 'process.pid; throw new Error("`process.env`"); // process.env')).toEqual([]);
  });
});
