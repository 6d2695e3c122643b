import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createScratch, removeStaleScratch } from "../../../src/fs/scratch.ts";
import { testNeeding } from "../../support/needs.ts";
import { makeTemp, removeTree } from "../../support/temp.ts";
import { runChild, startChild, until } from "./child.ts";

let parent: string;
beforeEach(() => {
  parent = makeTemp();
});
afterEach(() => removeTree(parent));

const work = `
  const scratch = createScratch(${JSON.stringify("PARENT")}, "stage");
  fs.mkdirSync(scratch.path + "/package", { recursive: true });
  fs.writeFileSync(scratch.path + "/package/index.js", "12345");
  fs.chmodSync(scratch.path + "/package", 0o555);
  console.log(scratch.path);
  fs.readSync(0, Buffer.alloc(1));`;
const workIn = (directory: string) => work.replace('"PARENT"', JSON.stringify(directory));

test("each directory is private and its owner's alone", () => {
  const umask = process.umask(0o777);
  const [one, two] = [createScratch(parent, "stage"), createScratch(parent, "stage")];
  process.umask(umask);
  expect(one.path).not.toBe(two.path);
  expect(statSync(one.path).mode & 0o777).toBe(0o700);
  expect(readdirSync(one.path)).toEqual([".lock"]);
  writeFileSync(join(one.path, "file"), "");
  one.remove();
  one.remove();
  expect(existsSync(one.path)).toBe(false);
  expect(existsSync(two.path)).toBe(true);
  two.remove();
  expect(readdirSync(parent)).toEqual([]);
});

test("removing one that somebody took away already is no error", () => {
  const scratch = createScratch(parent, "stage");
  removeTree(scratch.path);
  scratch.remove();
});

test("what a killed process left is removed, what a living or stopped one needs is not", async () => {
  const [killed, living, stopped] = await Promise.all([1, 2, 3].map(() => startChild(workIn(parent))));
  if (!killed || !living || !stopped) throw new Error("three were started");
  await killed.kill();
  stopped.send("SIGSTOP");
  expect(removeStaleScratch(parent)).toEqual({ files: 2, directories: 2, bytes: 5 });
  expect(readdirSync(parent).sort()).toEqual(
    [living.ready, stopped.ready].map((path) => path.slice(parent.length + 1)).sort(),
  );
  stopped.send("SIGCONT");
  await Promise.all([living.finish(), stopped.finish()]);
  removeStaleScratch(parent);
  expect(readdirSync(parent)).toEqual([]);
});

test("nothing else is removed, and a missing directory is clean", () => {
  mkdirSync(join(parent, "trash"));
  mkdirSync(join(parent, "other-12-3"));
  writeFileSync(join(parent, "other-12-3", "file"), "");
  writeFileSync(join(parent, "file-1-2"), "");
  mkdirSync(join(parent, "begun-12-3"));
  removeStaleScratch(parent);
  expect(readdirSync(parent).sort()).toEqual(["file-1-2", "other-12-3", "trash"]);
  expect(removeStaleScratch(join(parent, "no"))).toEqual({ files: 0, directories: 0, bytes: 0 });
});

test("a janitor never takes a directory from an owner, however they meet", async () => {
  const owner = `
    for (let n = 0; n < 150; n++) {
      const scratch = createScratch(${JSON.stringify(parent)}, "stage");
      fs.writeFileSync(scratch.path + "/file", "mine");
      for (let look = 0; look < 3; look++) fs.readdirSync(${JSON.stringify(parent)});
      if (fs.readFileSync(scratch.path + "/file", "utf8") !== "mine") throw new Error("lost");
      if (n % 3) scratch.remove();
    }
    console.log("done");`;
  const stop = join(parent, "stop");
  const janitor = `
    console.log("ready");
    const end = performance.now() + 10_000;
    while (!fs.existsSync(${JSON.stringify(stop)}) && performance.now() < end) removeStaleScratch(${JSON.stringify(parent)});`;
  const janitors = await Promise.all([startChild(janitor), startChild(janitor)]);
  try {
    const owners = await Promise.all([1, 2].map(() => startChild(owner)));
    expect(await Promise.all(owners.map((child) => child.finish()))).toEqual([0, 0]);
  } finally {
    writeFileSync(stop, "");
  }
  expect(await Promise.all(janitors.map((child) => child.finish()))).toEqual([0, 0]);
  removeStaleScratch(parent);
  expect(readdirSync(parent)).toEqual(["stop"]);
});

testNeeding(["strace"], "an owner whose new directory a janitor took starts over", async () => {
  const delayed = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=flock:delay_enter=200000:when=1"];
  const inodes = () => readdirSync(parent).map((name) => statSync(join(parent, name), { throwIfNoEntry: false })?.ino);
  const starting = startChild(workIn(parent), delayed);
  await until(() => inodes().length > 0);
  const [first] = inodes();
  await until(() => {
    removeStaleScratch(parent);
    return !inodes().includes(first);
  });
  const owner = await starting;
  expect(readdirSync(owner.ready).sort()).toEqual([".lock", "package"]);
  removeStaleScratch(parent);
  expect(readdirSync(owner.ready).sort()).toEqual([".lock", "package"]);
  await owner.kill();
});

testNeeding(["strace"], "a directory that cannot be owned is not left behind", () => {
  const create = `createScratch(${JSON.stringify(parent)}, "stage");`;
  const inject = (fault: string) => ["strace", "-f", "-qq", "-o", "/dev/null", "-e", `inject=${fault}`];
  expect(runChild(create, inject("flock:error=EOPNOTSUPP"))).toMatchObject({ code: "CSP_LOCKS_UNSUPPORTED" });
  expect(runChild(create, inject("fchmod:error=EIO"))).toMatchObject({ code: "CSP_IO", os: "EIO" });
  expect(readdirSync(parent)).toEqual([]);
});
