import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, openSync, readdirSync, readFileSync, readSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { exchangeDirectories, moveDirectory, publishDirectory } from "../../../src/fs/publish.ts";
import { testNeeding, unprivileged } from "../../support/needs.ts";
import { makeTemp, removeTree } from "../../support/temp.ts";
import { runChild, startChild } from "./child.ts";

let directory: string;
let staged: string;
let final: string;
beforeEach(() => {
  directory = makeTemp();
  mkdirSync(join(directory, "tmp"));
  mkdirSync(join(directory, "trees"));
  staged = join(directory, "tmp", "staged");
  final = join(directory, "trees", "final");
});
afterEach(() => removeTree(directory));

function fill(path: string, content: string): void {
  mkdirSync(path);
  writeFileSync(join(path, "file"), content);
}

const content = (path: string) => readFileSync(join(path, "file"), "utf8");

describe("publishing a directory", () => {
  test("gives it the final name", () => {
    fill(staged, "new");
    expect(publishDirectory(staged, final)).toBe("published");
    expect(content(final)).toBe("new");
    expect(readdirSync(join(directory, "tmp"))).toEqual([]);
  });

  test("changes nothing where the name exists, be it a full directory, an empty one or a file", () => {
    fill(staged, "new");
    fill(final, "old");
    expect(publishDirectory(staged, final)).toBe("exists");
    expect(content(final)).toBe("old");
    expect(content(staged)).toBe("new");
    mkdirSync(`${final}2`);
    expect(publishDirectory(staged, `${final}2`)).toBe("exists");
    expect(readdirSync(`${final}2`)).toEqual([]);
    writeFileSync(`${final}3`, "");
    expect(publishDirectory(staged, `${final}3`)).toBe("exists");
  });

  test("fails by name where there is nothing to publish, or no place for it", () => {
    expect(() => publishDirectory(staged, final)).toThrow(`\`${final}\` does not exist`);
    fill(staged, "new");
    expect(() => publishDirectory(staged, join(final, "inner"))).toThrow(join(final, "inner"));
    expect(() => publishDirectory(`${staged}\0`, final)).toThrow();
    expect(content(staged)).toBe("new");
  });

  test("has one winner", async () => {
    const racers = await Promise.all(
      [1, 2, 3, 4].map(async (n) => {
        fill(`${staged}${n}`, `${n}`);
        return startChild(`
          console.log("ready");
          fs.readSync(0, Buffer.alloc(1));
          process.exit(publishDirectory(${JSON.stringify(`${staged}${n}`)}, ${JSON.stringify(final)}) === "published" ? 10 : 20);`);
      }),
    );
    const results = await Promise.all(racers.map((racer) => racer.finish()));
    expect(results.sort()).toEqual([10, 20, 20, 20]);
    expect(content(final)).toBe(
      `${[1, 2, 3, 4].find((n) => !readdirSync(join(directory, "tmp")).includes(`staged${n}`))}`,
    );
  });

  const without = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=renameat2:error=EINVAL"];
  testNeeding(["strace"], "works on a file system that cannot refuse an existing name by itself", () => {
    fill(staged, "new");
    fill(`${final}2`, "old");
    const publish = (to: string) => `return publishDirectory(${JSON.stringify(staged)}, ${JSON.stringify(to)});`;
    expect(runChild(publish(`${final}2`), without)).toEqual({ value: "exists" });
    expect(runChild(publish(final), without)).toEqual({ value: "published" });
    expect(content(final)).toBe("new");
    expect(content(`${final}2`)).toBe("old");
  });

  testNeeding(["strace"], "an exchange is refused there, and nothing changes", () => {
    fill(staged, "new");
    fill(final, "old");
    const exchange = `return exchangeDirectories(${JSON.stringify(staged)}, ${JSON.stringify(final)});`;
    expect(runChild(exchange, without)).toEqual({ value: false });
    expect([content(staged), content(final)]).toEqual(["new", "old"]);
  });

  testNeeding(["user"], "moves directories that their owner made read-only, and leaves them so", () => {
    chmodSync(directory, 0o777);
    chmodSync(join(directory, "tmp"), 0o777);
    chmodSync(join(directory, "trees"), 0o777);
    const lines = `
      const [staged, final] = ${JSON.stringify([staged, final])};
      for (const name of [staged, staged + "2"]) {
        fs.mkdirSync(name);
        fs.writeFileSync(name + "/file", name);
        fs.chmodSync(name, 0o555);
      }
      const mode = (name) => (fs.statSync(name).mode & 0o777).toString(8);
      const published = publishDirectory(staged, final);
      const swapped = exchangeDirectories(staged + "2", final);
      const second = fs.readFileSync(final + "/file", "utf8") === staged + "2";
      moveDirectory(final, staged);
      const result = [published, swapped, second, mode(staged), mode(staged + "2")];
      removeTree(staged);
      removeTree(staged + "2");
      return [...result, fs.readdirSync(${JSON.stringify(join(directory, "tmp"))}).length];`;
    expect(runChild(lines, unprivileged)).toEqual({ value: ["published", true, true, "555", "555", 0] });
  });
});

describe("moving a directory", () => {
  test("refuses a name that exists", () => {
    fill(staged, "new");
    fill(final, "old");
    expect(() => moveDirectory(staged, final)).toThrow("exists already");
    expect(content(final)).toBe("old");
  });
});

describe("exchanging two directories", () => {
  test("swaps them; who has a file open keeps it", () => {
    fill(staged, "new");
    fill(final, "old");
    const fd = openSync(join(final, "file"), "r");
    const inode = statSync(final).ino;
    expect(exchangeDirectories(staged, final)).toBe(true);
    expect([content(staged), content(final)]).toEqual(["old", "new"]);
    expect(statSync(staged).ino).toBe(inode);
    const bytes = Buffer.alloc(3);
    readSync(fd, bytes, 0, 3, 0);
    expect(bytes.toString()).toBe("old");
  });
});
