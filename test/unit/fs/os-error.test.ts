import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { CspError } from "../../../src/core/errors.ts";
import { systemError } from "../../../src/fs/libc.ts";
import { describeOsError, guarded, osCode, quotedPath } from "../../../src/fs/os-error.ts";
import { testNeeding } from "../../support/needs.ts";
import { makeTemp, removeTree } from "../../support/temp.ts";
import { type Outcome, runChild, withMount } from "./child.ts";

const failed = (code: string) => Object.assign(new Error(code), { code, errno: -1, syscall: "write", path: "/data/x" });

describe("an error of the operating system", () => {
  test.each([
    ["ENOSPC", "CSP_DISK_FULL", "no space or no inode is left at `/data/x`"],
    ["EDQUOT", "CSP_DISK_FULL", "the disk quota is used up at `/data/x`"],
    ["EROFS", "CSP_READ_ONLY", "`/data/x` is on a file system that is mounted read-only"],
    ["EACCES", "CSP_READ_ONLY", "this user is not allowed to use `/data/x`"],
    ["EPERM", "CSP_READ_ONLY", "this user may not change `/data/x`"],
    ["EMFILE", "CSP_IO", "this process may not open more files, so `/data/x` could not be opened"],
    ["ENFILE", "CSP_IO", "the system has no file handles left, so `/data/x` could not be opened"],
    ["EIO", "CSP_IO", "the device failed at `/data/x`"],
    ["EXDEV", "CSP_IO", "`/data/x` is a mount point"],
    ["EUNHEARDOF", "CSP_IO", "`write` of `/data/x` failed with EUNHEARDOF"],
  ] as const)("%s is %s", (os, code, message) => {
    const raw = failed(os);
    const error = describeOsError(raw);
    expect(error).toBeInstanceOf(CspError);
    expect(error?.code).toBe(code);
    expect(error?.message).toBe(message);
    expect(error?.cause).toBe(raw);
    expect(error?.data).toEqual({ os, path: "/data/x", syscall: "write" });
  });

  test("has a hint wherever the user can do something", () => {
    for (const os of [
      "ENOSPC",
      "EDQUOT",
      "EROFS",
      "EACCES",
      "EPERM",
      "EMFILE",
      "ENFILE",
      "EIO",
      "EFBIG",
      "EXDEV",
      "ESTALE",
    ]) {
      expect(describeOsError(failed(os))?.hint).toBeTruthy();
    }
  });

  test("names the place it is told rather than the system's", () => {
    expect(describeOsError(failed("EIO"), "/data")?.message).toBe("the device failed at `/data`");
  });

  test("names both file systems of a rename", () => {
    const error = Object.assign(failed("EXDEV"), { dest: "/elsewhere/y" });
    expect(describeOsError(error)?.message).toBe("`/data/x` and `/elsewhere/y` are on different file systems");
  });

  test("is recognised as node:fs and the C library throw it", () => {
    const open = () => guarded(() => openSync("/nowhere/at/all", "r"));
    expect(open).toThrow("`/nowhere/at/all` does not exist");
    expect(() => guarded(() => readdirSync("/dev/null"))).toThrow("a part of `/dev/null` is not a directory");
    expect(describeOsError(systemError(28, "syncfs", "/data"))?.message).toBe(
      "no space or no inode is left at `/data`",
    );
  });
});

test("anything else is a defect and passes as it is", () => {
  const invalid = Object.assign(new Error("no"), { code: "ERR_INVALID_ARG_TYPE", syscall: "open" });
  for (const other of [new TypeError("no"), invalid, "ENOSPC", null, undefined, { code: "EIO", errno: 5 }]) {
    expect(describeOsError(other)).toBeUndefined();
    expect(osCode(other)).toBeUndefined();
  }
  const defect = new TypeError("no");
  expect(() => guarded(() => fail(defect), "/data")).toThrow(defect);
});

test("an error that was described once passes a second time unchanged", () => {
  const error = new CspError("CSP_INTEGRITY", { message: "not what was locked" });
  expect(() => guarded(() => fail(error), "/data")).toThrow(error);
});

test("the code can be asked of raw and described errors", () => {
  expect(osCode(failed("EEXIST"))).toBe("EEXIST");
  expect(osCode(describeOsError(failed("EEXIST")))).toBe("EEXIST");
  expect(osCode(new CspError("CSP_USAGE", { message: "no" }))).toBeUndefined();
});

test("a path in a message shows nothing that a terminal would act on", () => {
  expect(quotedPath("/a/\u001b[31m`rm`\n\u202e\ud800")).toBe("`/a/?[31m?rm???\ufffd`");
});

function fail(error: unknown): never {
  throw error;
}

/** Replaces a file in a process whose system refuses; `before` is how. */
function replaceWhere(before: readonly string[], path: string): Outcome {
  return runChild(`replaceFile(${JSON.stringify(path)}, "text")`, before);
}

describe("what a system really refuses", () => {
  let directory: string;
  beforeEach(() => {
    directory = makeTemp();
  });
  afterEach(() => removeTree(directory));

  testNeeding(["root", "linux"], "a full disk: CSP_DISK_FULL, and nothing is left of it", () => {
    const lines = `
      let error;
      try { replaceFile("/mnt/file", Buffer.alloc(200_000)) } catch (thrown) { error = thrown }
      return [error.code, error.data.os, fs.readdirSync("/mnt")];`;
    const full = withMount("mount -t tmpfs -o size=64k tmpfs /mnt");
    expect(runChild(lines, full)).toEqual({ value: ["CSP_DISK_FULL", "ENOSPC", []] });
  });

  testNeeding(["root", "linux"], "no inode left: CSP_DISK_FULL", () => {
    const full = withMount("mount -t tmpfs -o size=64k,nr_inodes=1 tmpfs /mnt");
    expect(replaceWhere(full, "/mnt/file")).toMatchObject({ code: "CSP_DISK_FULL", os: "ENOSPC" });
  });

  testNeeding(["root", "linux"], "a file system that is mounted read-only: CSP_READ_ONLY", () => {
    const readOnly = withMount("mount -t tmpfs -o ro tmpfs /mnt");
    expect(replaceWhere(readOnly, "/mnt/file")).toMatchObject({ code: "CSP_READ_ONLY", os: "EROFS" });
  });

  testNeeding(["linux"], "no more open files: CSP_IO", () => {
    const lines = `
      try { for (;;) fs.openSync("/dev/null") } catch {}
      replaceFile(${JSON.stringify(join(directory, "file"))}, "text");`;
    const few = ["prlimit", "--nofile=64:64", "--"];
    expect(runChild(lines, few)).toMatchObject({ code: "CSP_IO", os: "EMFILE" });
    expect(readdirSync(directory)).toEqual([]);
  });

  for (const [os, call, code] of [
    ["EIO", "fsync", "CSP_IO"],
    ["ENOSPC", "fsync", "CSP_DISK_FULL"],
    ["EDQUOT", "rename,renameat,renameat2", "CSP_DISK_FULL"],
  ] as const) {
    testNeeding(["strace", "linux"], `${os} of ${call}: ${code}, and nothing is left of it`, () => {
      const inject = ["strace", "-qq", "-o", "/dev/null", "-e", `trace=${call}`, "-e", `inject=${call}:error=${os}`];
      expect(replaceWhere(inject, join(directory, "file"))).toMatchObject({ code, os });
      expect(readdirSync(directory)).toEqual([]);
    });
  }

  for (const [os, code] of [
    ["EIO", "CSP_IO"],
    ["EDQUOT", "CSP_DISK_FULL"],
  ] as const) {
    testNeeding(["strace", "linux"], `${os} of a write: ${code}`, () => {
      const file = join(directory, "file");
      const calls = "write,pwrite64";
      const inject = ["-e", `trace=${calls}`, "-e", `inject=${calls}:error=${os}`, "-P", file];
      const lines = `appendRecord(${JSON.stringify(file)}, "text");`;
      expect(runChild(lines, ["strace", "-qq", "-o", "/dev/null", ...inject])).toMatchObject({ code, os });
      expect(readFileSync(file, "utf8")).toBe("");
    });
  }
});
