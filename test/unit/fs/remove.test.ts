import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, existsSync, linkSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { removeTree } from "../../../src/fs/remove.ts";
import { testNeeding, unprivileged } from "../../support/needs.ts";
import { makeTemp, removeTree as removeTemp } from "../../support/temp.ts";
import { runChild } from "./child.ts";

let directory: string;
let tree: string;
beforeEach(() => {
  directory = makeTemp();
  tree = join(directory, "tree");
});
afterEach(() => removeTemp(directory));

test("removes all and says how much", () => {
  mkdirSync(join(tree, "a", "b"), { recursive: true });
  mkdirSync(join(tree, "empty"));
  writeFileSync(join(tree, "a", "one"), "12345");
  writeFileSync(join(tree, "a", "b", "two"), "123");
  symlinkSync("nowhere", join(tree, "link"));
  expect(removeTree(tree)).toEqual({ files: 3, directories: 4, bytes: 8 + "nowhere".length });
  expect(existsSync(tree)).toBe(false);
});

test("a missing path, a file and a link are no directories", () => {
  expect(removeTree(tree)).toEqual({ files: 0, directories: 0, bytes: 0 });
  writeFileSync(tree, "12");
  expect(removeTree(tree)).toEqual({ files: 1, directories: 0, bytes: 2 });
  expect(existsSync(tree)).toBe(false);
});

test("never follows a link, neither inside nor as the path itself", () => {
  mkdirSync(join(directory, "precious"));
  writeFileSync(join(directory, "precious", "file"), "kept");
  mkdirSync(tree);
  symlinkSync("../precious", join(tree, "link"));
  symlinkSync("precious", join(directory, "alias"));
  removeTree(tree);
  removeTree(join(directory, "alias"));
  expect(existsSync(join(directory, "alias"))).toBe(false);
  expect(readFileSync(join(directory, "precious", "file"), "utf8")).toBe("kept");
});

test("content with another name outside is not freed; with two names inside, once", () => {
  mkdirSync(tree);
  writeFileSync(join(directory, "outside"), "12345");
  linkSync(join(directory, "outside"), join(tree, "one"));
  writeFileSync(join(tree, "two"), "123");
  linkSync(join(tree, "two"), join(tree, "three"));
  expect(removeTree(tree)).toEqual({ files: 3, directories: 1, bytes: 3 });
});

test("manages names that are no text and paths longer than the kernel takes", () => {
  mkdirSync(tree);
  writeFileSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0xff, 0xfe])]), "");
  const deep = `n=$(printf 'd%.0s' $(seq 100)); for i in $(seq 60); do mkdir $n && cd -P $n || exit; done; echo > file`;
  expect(Bun.spawnSync(["bash", "-c", deep], { cwd: tree, stderr: "ignore" }).exitCode).toBe(0);
  removeTree(tree);
  expect(existsSync(tree)).toBe(false);
});

testNeeding(["user"], "opens what its owner closed, and says what another user's directory forbids", () => {
  chmodSync(directory, 0o777);
  const lines = `
    const tree = ${JSON.stringify(tree)};
    fs.mkdirSync(tree + "/a/b", { recursive: true });
    fs.writeFileSync(tree + "/a/b/file", "123", { mode: 0o444 });
    for (const [name, mode] of [["/a/b", 0o555], ["/a", 0], ["", 0o555]]) fs.chmodSync(tree + name, mode);
    return [removeTree(tree), fs.existsSync(tree)];`;
  expect(runChild(lines, unprivileged)).toEqual({ value: [{ files: 1, directories: 3, bytes: 3 }, false] });
});

testNeeding(["root", "user"], "says which place of another user cannot be removed", () => {
  mkdirSync(tree);
  writeFileSync(join(tree, "file"), "");
  chmodSync(directory, 0o755);
  const outcome = runChild(`removeTree(${JSON.stringify(tree)});`, unprivileged);
  expect(outcome.code).toBe("CSP_READ_ONLY");
  expect(outcome.message).toContain(tree);
  expect(existsSync(join(tree, "file"))).toBe(true);
});
