/** Binaries of packages: which runtime they get, and what they find. */
import { describe, expect, test } from "bun:test";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isCspError } from "../../../src/core/errors.ts";
import { binEnvironment, resolveBin } from "../../../src/run/bin.ts";
import { nodePath, run, sharedPlace } from "./fixture.ts";

const place = sharedPlace();

/** Gives the tree one more binary, with this text. */
function addBin(name: string, text: string): void {
  const { tree } = place().host;
  writeFileSync(join(tree, "node_modules", "parent", name), text);
  symlinkSync(`../parent/${name}`, join(tree, "node_modules", ".bin", name));
}

for (const runtime of ["bun", "node"] as const) {
  test.skipIf(runtime === "node" && nodePath === null)(
    `a script for Node runs on ${runtime} when that is asked for`,
    async () => {
      const { host, hooks } = place();
      const outcome = await run(host, hooks, {
        runtime,
        source: resolveBin(host.tree, "parent"),
        args: ["--flag", "a b"],
      });
      expect(outcome).toMatchObject({
        stdout: `bin child of the tree ${runtime} --flag a b\n`,
        stderr: "",
        exitCode: 7,
      });
    },
  );
}

test("a shell script runs by itself, though it is not executable", async () => {
  const { host, hooks } = place();
  const outcome = await run(host, hooks, { source: resolveBin(host.tree, "tool"), args: ["word"] });
  expect(outcome).toMatchObject({ stdout: `shell word ${host.tree}\n`, exitCode: 0 });
});

describe("the first line decides", () => {
  test.each([
    ["#!/usr/bin/env node\n", "file"],
    ["#! /usr/bin/node --no-warnings\r\n", "file"],
    ["#!/usr/bin/env -S node --no-warnings\n", "file"],
    ["#!/usr/bin/env -S FLAG=1 bun\n", "file"],
    ["#!/bin/bash -eu\n", "program"],
    ["#!/usr/bin/env python3\n", "program"],
    ["#!/opt/nodejs/bin/tool\n", "program"],
  ] as const)("%j is a %s", (line, kind) => {
    const name = `line-${Bun.hash(line)}`;
    addBin(name, line);
    expect(resolveBin(place().host.tree, name).kind).toBe(kind);
  });

  test("the interpreter's argument stays one word", () => {
    addBin("flags", "#!/bin/bash -e -u \nexit\n");
    const source = resolveBin(place().host.tree, "flags");
    expect(source.kind === "program" && source.command.slice(0, 2)).toEqual(["/bin/bash", "-e -u"]);
  });

  test("without one, the ending does", () => {
    addBin("plain.mjs", "console.log(1)");
    addBin("plain-binary", "\x7fELF");
    expect(resolveBin(place().host.tree, "plain.mjs").kind).toBe("file");
    expect(resolveBin(place().host.tree, "plain-binary").kind).toBe("program");
  });
});

test.each(["../../../escape", "nothing", "..", ".", "", "parnet"])("there is no binary %j", (name) => {
  try {
    resolveBin(place().host.tree, name);
    throw new Error("found");
  } catch (error) {
    if (!isCspError(error, "CSP_BIN_MISSING")) throw error;
    expect(error.details[0]).toContain("`parent`");
    if (name === "parnet") expect(error.hint).toBe("run `csp exec parent`");
  }
});

test("a link that leaves the packages is no binary", () => {
  const { tree, root } = place().host;
  writeFileSync(join(root, "outside.js"), "console.log(1)");
  symlinkSync(join(root, "outside.js"), join(tree, "node_modules", ".bin", "outside"));
  expect(() => resolveBin(tree, "outside")).toThrow("has a binary `outside`");
});

test("binaries find each other before all others", () => {
  expect(binEnvironment({ PATH: "/bin", A: "1" }, "/t")).toEqual({ PATH: "/t/node_modules/.bin:/bin", A: "1" });
  expect(binEnvironment({}, "/t")).toEqual({ PATH: "/t/node_modules/.bin" });
});
