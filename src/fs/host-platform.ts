/** What this host can run. */
import { existsSync } from "node:fs";
import type { Platform } from "../core/platform.ts";

const glibcLoaders = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"];
const muslLoaders = ["/lib/ld-musl-x86_64.so.1", "/lib/ld-musl-aarch64.so.1"];

/** The platform of this process and host. Reads at most five names, starts nothing. */
export function detectPlatform(): Platform {
  const { platform: os, arch: cpu } = process;
  return { os, cpu, libc: os === "linux" ? detectLibc(existsSync) : undefined };
}

/**
 * The C library of a Linux host, told by the loader that programs name. A host with both is a glibc host with musl
 * tools, unless it is Alpine, which can emulate glibc. `exists` answers for absolute paths.
 */
export function detectLibc(exists: (path: string) => boolean): "glibc" | "musl" {
  if (!muslLoaders.some(exists)) return "glibc";
  return glibcLoaders.some(exists) && !exists("/etc/alpine-release") ? "glibc" : "musl";
}
