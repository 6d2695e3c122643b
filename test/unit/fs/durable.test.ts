import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { appendRecord, replaceFile, replaceSymlink, syncDirectory, syncFileSystem } from "../../../src/fs/durable.ts";
import { osCode } from "../../../src/fs/os-error.ts";
import { testNeeding } from "../../support/needs.ts";
import { makeTemp, removeTree } from "../../support/temp.ts";
import { runChild, withMount } from "./child.ts";

let directory: string;
let path: string;
beforeEach(() => {
  directory = makeTemp();
  path = join(directory, "file");
});
afterEach(() => removeTree(directory));

const inject = (...faults: string[]) => [
  ...["strace", "-f", "-qq", "-o", "/dev/null"],
  ...faults.flatMap((fault) => ["-e", `inject=${fault}`]),
];
const replaceIn = (name: string, content = "new content") =>
  `replaceFile(${JSON.stringify(join(directory, name))}, ${JSON.stringify(content)});`;

describe("replacing a file", () => {
  test("creates and replaces it, in another file than the one readers have open", () => {
    replaceFile(path, "old");
    const before = statSync(path).ino;
    replaceFile(path, Buffer.from("new"));
    expect(readFileSync(path, "utf8")).toBe("new");
    expect(statSync(path).ino).not.toBe(before);
    expect(readdirSync(directory)).toEqual(["file"]);
  });

  test("gives exact permissions, whatever the umask; without any, keeps those of the old file", () => {
    const umask = process.umask(0o077);
    try {
      replaceFile(path, "", { mode: 0o644 });
      expect(statSync(path).mode & 0o7777).toBe(0o644);
      replaceFile(path, "", { mode: 0o444 });
      replaceFile(path, "again");
      expect(statSync(path).mode & 0o7777).toBe(0o444);
      replaceFile(join(directory, "new"), "");
      expect(statSync(join(directory, "new")).mode & 0o7777).toBe(0o600);
    } finally {
      process.umask(umask);
    }
  });

  test("goes through links to files and to directories", () => {
    mkdirSync(join(directory, "real"));
    writeFileSync(join(directory, "real", "file"), "old");
    symlinkSync("real", join(directory, "linked"));
    symlinkSync("real/file", path);
    replaceFile(path, "through the link");
    expect(lstatSync(path).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(directory, "real", "file"), "utf8")).toBe("through the link");
    replaceFile(join(directory, "linked", "file"), "through the directory");
    expect(readFileSync(join(directory, "real", "file"), "utf8")).toBe("through the directory");
  });

  test("never leaves a temporary file, and leaves the old or the new content", () => {
    const kinds = ["absent", "file", "directory", "dangling link", "link loop"] as const;
    const missing = fc.constantFrom("", "missing");
    fc.assert(
      fc.property(fc.constantFrom(...kinds), fc.uint8Array({ maxLength: 70_000 }), missing, (kind, bytes, staging) => {
        const own = makeTemp();
        try {
          const file = join(own, "file");
          if (kind === "file") writeFileSync(file, "old");
          if (kind === "directory") mkdirSync(join(file, "inner"), { recursive: true });
          if (kind === "dangling link") symlinkSync("nothing", file);
          if (kind === "link loop") symlinkSync("file", file);
          const before = readdirSync(own);
          let failed: unknown;
          try {
            replaceFile(file, bytes, staging === "" ? {} : { stagingDirectory: join(own, staging) });
          } catch (error) {
            failed = error;
          }
          if (kind === "absent" || kind === "file") expect(failed === undefined).toBe(staging === "");
          else expect(osCode(failed)).toBeDefined();
          expect(readdirSync(own)).toEqual(failed ? before : ["file"]);
          if (!failed) expect(readFileSync(file).equals(bytes)).toBe(true);
          else if (kind === "file") expect(readFileSync(file, "utf8")).toBe("old");
        } finally {
          removeTree(own);
        }
      }),
      { numRuns: 60 },
    );
  });

  testNeeding(["strace"], "survives no error of write, sync or rename as if it had worked", () => {
    const faults: [string, string][] = [
      ["write:error=ENOSPC:when=1", "CSP_DISK_FULL"],
      ["write:error=EDQUOT:when=1", "CSP_DISK_FULL"],
      ["fsync:error=EIO:when=1", "CSP_IO"],
      ["rename:error=EIO:when=1", "CSP_IO"],
    ];
    for (const [fault, code] of faults) {
      writeFileSync(path, "old");
      const outcome = runChild(replaceIn("file"), inject(fault));
      expect([fault, outcome.code]).toEqual([fault, code]);
      expect(outcome.message).toContain(path);
      expect(readdirSync(directory)).toEqual(["file"]);
    }
  });

  testNeeding(["strace"], "reports a failed sync of the directory", () => {
    expect(runChild(replaceIn("file"), inject("fsync:error=EIO:when=2"))).toMatchObject({ code: "CSP_IO", os: "EIO" });
  });

  testNeeding(["strace"], "goes on after a short write", () => {
    // strace only pretends that three bytes were written, so they are missing; what matters is where it went on.
    expect(runChild(replaceIn("file", "0123456789"), inject("write:retval=3:when=1"))).toEqual({ value: null });
    expect(readFileSync(path, "utf8")).toBe("3456789");
  });

  testNeeding(["strace"], "opens no final name for writing, syncs before the rename and the directory after it", () => {
    writeFileSync(path, "old");
    const log = join(makeTemp(), "log");
    runChild(replaceIn("file"), [
      "strace",
      "-f",
      "-y",
      "-o",
      log,
      "-e",
      "trace=open,openat,creat,fsync,rename,renameat",
    ]);
    const calls = readFileSync(log, "utf8").split("\n");
    expect(calls.filter((call) => call.includes(`${path}"`) && /O_(WRONLY|RDWR)/.test(call))).toEqual([]);
    const order = calls
      .map((call) => /(fsync|rename)\(.*/.exec(call)?.[0] ?? "")
      .filter((call) => call.includes(directory));
    expect(order.map((call) => call.replace(/\.csp-\d+-\d+/g, "TEMP").replaceAll(directory, "DIR"))).toEqual([
      expect.stringMatching(/^fsync\(\d+<DIR\/TEMP>\)/),
      expect.stringMatching(/^rename\("DIR\/TEMP", "DIR\/file"\)/),
      expect.stringMatching(/^fsync\(\d+<DIR>\)/),
    ]);
    removeTree(join(log, ".."));
  });

  testNeeding(
    ["root", "linux"],
    "on a full file system names the place and keeps the old content; removing still works",
    () => {
      const full = withMount(`mount -t tmpfs -o size=64k,nr_inodes=12 tmpfs '${directory}'`);
      const fill = `
      ${replaceIn("file", "old")}
      const lock = tryLock(${JSON.stringify(join(directory, "lock"))}, { mode: "exclusive", purpose: "csp gc", now: () => 0 });
      lock.release();
      try { fs.writeFileSync(${JSON.stringify(join(directory, "big"))}, Buffer.alloc(100_000)); } catch {}`;
      expect(runChild(`${fill} ${replaceIn("file", "x".repeat(5000))}`, full)).toMatchObject({
        code: "CSP_DISK_FULL",
        message: `no space or no inode is left at \`${path}\``,
        os: "ENOSPC",
      });
      const after = `
      try { ${replaceIn("file", "x".repeat(5000))} } catch {}
      const names = fs.readdirSync(${JSON.stringify(directory)}).sort();
      const again = tryLock(lock.path, { mode: "exclusive", purpose: "csp gc", now: () => 0 });
      again.release();
      return [names, fs.readFileSync(${JSON.stringify(path)}, "utf8"), removeTree(${JSON.stringify(join(directory, "big"))}).files];`;
      expect(runChild(`${fill} ${after}`, full)).toEqual({ value: [["big", "file", "lock"], "old", 1] });
    },
  );

  testNeeding(["root", "linux"], "on a read-only file system says so", () => {
    const readOnly = withMount(`mount --bind '${directory}' '${directory}' && mount -o remount,ro,bind '${directory}'`);
    expect(runChild(replaceIn("file"), readOnly)).toMatchObject({ code: "CSP_READ_ONLY", os: "EROFS" });
  });
});

describe("replacing a symbolic link", () => {
  test("creates and replaces it in one step", () => {
    replaceSymlink(path, "trees/a");
    replaceSymlink(path, "trees/b");
    expect(readlinkSync(path)).toBe("trees/b");
    expect(readdirSync(directory)).toEqual(["file"]);
  });

  test("does not follow the link that is there", () => {
    mkdirSync(join(directory, "a"));
    symlinkSync("a", path);
    replaceSymlink(path, "b");
    expect(readlinkSync(path)).toBe("b");
    expect(readdirSync(join(directory, "a"))).toEqual([]);
  });

  test("never removes a real directory, and leaves no temporary link", () => {
    mkdirSync(path);
    expect(() => replaceSymlink(path, "b")).toThrow(`\`${path}\` is a directory where a file is expected`);
    expect(readdirSync(directory)).toEqual(["file"]);
    expect(lstatSync(path).isDirectory()).toBe(true);
  });

  test("can be prepared in another directory", () => {
    mkdirSync(join(directory, "tmp"));
    replaceSymlink(path, "b", { stagingDirectory: join(directory, "tmp") });
    expect(readlinkSync(path)).toBe("b");
    expect(readdirSync(join(directory, "tmp"))).toEqual([]);
  });
});

describe("appending a record", () => {
  test("adds at the end", () => {
    appendRecord(path, "one\n");
    appendRecord(path, Buffer.from("two\n"));
    expect(readFileSync(path, "utf8")).toBe("one\ntwo\n");
  });

  test("ends a line that a crash cut short, so that it spoils only itself", () => {
    writeFileSync(path, 'one\n{"tor');
    appendRecord(path, "two\n");
    expect(readFileSync(path, "utf8")).toBe('one\n{"tor\ntwo\n');
  });

  testNeeding(["root", "linux"], "leaves the old length when the disk is full", () => {
    const full = withMount(`mount -t tmpfs -o size=64k tmpfs '${directory}'`);
    const lines = `
      const path = ${JSON.stringify(path)};
      appendRecord(path, "one\\n");
      let failure;
      try { appendRecord(path, "x".repeat(200_000) + "\\n"); } catch (error) { failure = error.code; }
      return [failure, fs.readFileSync(path, "utf8")];`;
    expect(runChild(lines, full)).toEqual({ value: ["CSP_DISK_FULL", "one\n"] });
  });
});

describe("syncing", () => {
  test("of a file system and of a directory works", () => {
    writeFileSync(path, "content");
    syncFileSystem(directory);
    syncDirectory(directory);
  });

  testNeeding(["strace"], "is one syncfs, whose error is thrown", () => {
    const sync = `syncFileSystem(${JSON.stringify(directory)});`;
    expect(runChild(sync, inject("syncfs:error=EIO"))).toMatchObject({ code: "CSP_IO", os: "EIO" });
    expect(runChild(sync, inject("fsync:error=EIO"))).toEqual({ value: null });
  });

  testNeeding(["strace"], "of a directory fails with the device, but not where directories cannot be synced", () => {
    const sync = `syncDirectory(${JSON.stringify(directory)});`;
    expect(runChild(sync, inject("fsync:error=EIO"))).toMatchObject({ code: "CSP_IO", os: "EIO" });
    expect(runChild(sync, inject("fsync:error=EINVAL"))).toEqual({ value: null });
  });

  test("of a missing directory names it", () => {
    expect(() => syncDirectory(join(directory, "no"))).toThrow(`\`${join(directory, "no")}\` does not exist`);
  });
});
