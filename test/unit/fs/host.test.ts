import { expect, test } from "bun:test";
import { tmpdir } from "node:os";
import { freeSpace } from "../../../src/fs/free-space.ts";
import { detectLibc, detectPlatform } from "../../../src/fs/host-platform.ts";
import { testNeeding } from "../../support/needs.ts";
import { runChild, withMount } from "./child.ts";

const host = (...present: string[]) => detectLibc((path) => present.includes(path));

test("the C library is the one whose loader is there", () => {
  expect(host("/lib64/ld-linux-x86-64.so.2")).toBe("glibc");
  expect(host("/lib/ld-linux-aarch64.so.1")).toBe("glibc");
  expect(host("/lib/ld-musl-x86_64.so.1")).toBe("musl");
  expect(host("/lib/ld-musl-aarch64.so.1", "/etc/alpine-release")).toBe("musl");
  expect(host()).toBe("glibc");
});

test("of two loaders, the one that is not for other systems' programs counts", () => {
  const both = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1"];
  expect(host(...both)).toBe("glibc");
  expect(host(...both, "/etc/alpine-release")).toBe("musl");
});

testNeeding(["linux"], "this host is one bun runs on", () => {
  const { glibcVersionRuntime } = (process.report.getReport() as { header: { glibcVersionRuntime?: string } }).header;
  expect(detectPlatform()).toEqual({
    os: "linux",
    cpu: process.arch,
    libc: glibcVersionRuntime === undefined ? "musl" : "glibc",
  });
});

test("the space that is left is counted, of the file system that holds the path", () => {
  const { bytes, fileSystem } = freeSpace(tmpdir());
  expect(bytes).toBeGreaterThan(0);
  expect(fileSystem).not.toBe("");
  expect(() => freeSpace("/nowhere/at/all")).toThrow("`/nowhere/at/all` does not exist");
});

testNeeding(["root", "linux"], "a small file system is as small as it is", () => {
  const small = withMount("mount -t tmpfs -o size=64k,nr_inodes=12 tmpfs /mnt");
  expect(runChild(`return freeSpace("/mnt");`, small)).toEqual({
    value: { bytes: 65536, inodes: 11, fileSystem: "tmpfs" },
  });
});
