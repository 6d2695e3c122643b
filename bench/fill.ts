/** Brings the tarballs of the set into a cache directory, once, with the machine's own npm and its configuration. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fits, type Platform } from "../src/core/platform.ts";
import type { PackageSet, SetPackage } from "./set.ts";

/** Packages a call of npm is given; npm fetches those of one call at the same time, at most `maxsockets` at once. */
const chunk = 100;

/** This machine, as packages name it. */
export function thisPlatform(): Platform {
  const musl = [...new Bun.Glob("ld-musl-*").scanSync({ cwd: "/lib", onlyFiles: false })].length > 0;
  return {
    os: process.platform,
    cpu: process.arch,
    libc: process.platform === "linux" ? (musl ? "musl" : "glibc") : undefined,
  };
}

/** The packages of the set that an install on this machine unpacks. */
export function onThisPlatform(packages: readonly SetPackage[]): SetPackage[] {
  const platform = thisPlatform();
  const list = (value: string | string[] | undefined) => (value === undefined ? [] : [value].flat());
  return packages.filter((p) => fits({ os: list(p.os), cpu: list(p.cpu), libc: list(p.libc) }, platform));
}

/** Where npm's cache keeps the tarball with this integrity. */
export function tarballFile(cache: string, integrity: string): string {
  const hex = Buffer.from(integrity.slice("sha512-".length), "base64").toString("hex");
  return join(cache, "npm", "_cacache", "content-v2", "sha512", hex.slice(0, 2), hex.slice(2, 4), hex.slice(4));
}

/** Downloads what the cache lacks; does nothing when it is full. Throws where npm fails or brings other bytes. */
export function fill(set: PackageSet, cache: string): void {
  const lacking = () =>
    onThisPlatform([...set.packages, ...set.others]).filter((p) => !existsSync(tarballFile(cache, p.integrity)));
  const missing = lacking();
  for (let i = 0; i < missing.length; i += chunk) {
    console.error(`fetching packages ${i + 1} to ${Math.min(i + chunk, missing.length)} of ${missing.length}`);
    const specs = missing.slice(i, i + chunk).map((p) => `${p.name}@${p.version}`);
    const npm = Bun.spawnSync(["npm", "cache", "add", ...specs, "--cache", join(cache, "npm"), "--maxsockets", "16"], {
      stdout: "ignore",
      stderr: "pipe",
    });
    if (!npm.success) throw new Error(`npm did not fetch the packages:\n${npm.stderr}`);
  }
  const still = lacking();
  if (still.length > 0)
    throw new Error(`the registry's bytes are not the set's: ${still.map((p) => p.name).join(", ")}`);
}
