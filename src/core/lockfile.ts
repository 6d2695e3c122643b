/**
 * The lockfile as a value: what a bun.lock says, checked, with csp's own facts merged in. The text is hostile: every name
 * is a safe directory name, every location names the package it holds, before anything else sees it.
 */
import { CspError } from "./errors.ts";
import { type Integrity, parseIntegrity } from "./integrity.ts";
import { isObject, type Json, type JsonObject, parseJsonc } from "./jsonc.ts";
import { isSafeName, splitLocation } from "./location.ts";
import { withoutLayout } from "./lockfile-layout.ts";
import type { PlatformLimits } from "./platform.ts";
import { isTarballPath } from "./tarball-path.ts";

export type Linker = "isolated" | "hoisted";

/** What csp learned of a package beyond bun.lock; keyed by `name@version`. */
export interface LearnedFacts {
  /** Bytes of the blob. */
  size?: number;
  /** ISO time of publication, where a policy asked for it. */
  published?: string;
  /** The tarball's path where it cannot be derived: relative to the registry, or from its origin when it starts with `/`. */
  tarball?: string;
}

export interface LockedPackage extends LearnedFacts {
  location: string;
  /** The location's segments; the last is the name it is imported by. */
  segments: readonly string[];
  /** The registry's name; differs from the last segment for an alias. */
  name: string;
  version: string;
  integrity: Integrity;
  /** What bun.lock gave as the tarball's place: "" for the configured registry. */
  url: string;
  dependencies: Readonly<Record<string, string>>;
  optionalDependencies: Readonly<Record<string, string>>;
  peerDependencies: Readonly<Record<string, string>>;
  optionalPeers: readonly string[];
  /** Names that must not be looked up although a package of that name stands above. */
  unresolved: readonly string[];
  limits: PlatformLimits;
  /** Command name to path inside the package; a lone string stands for the package's own base name. */
  bin: Readonly<Record<string, string>>;
  binDir: string | undefined;
  hasInstallScript: boolean;
  /** The files lie in the tarball of the package one location up. */
  bundled: boolean;
}

/** A dependency that is no registry tarball: git, folder, link, bare URL. */
export interface ForeignPackage {
  location: string;
  /** What stands after the name's `@`. */
  source: string;
}

export interface Lockfile {
  linker: Linker;
  /** Name to exact version, or `npm:name@version` for an alias. */
  dependencies: Readonly<Record<string, string>>;
  optionalDependencies: Readonly<Record<string, string>>;
  packages: ReadonlyMap<string, LockedPackage>;
  foreign: readonly ForeignPackage[];
}

export const emptyLockfile = (linker: Linker): Lockfile => ({
  linker,
  dependencies: {},
  optionalDependencies: {},
  packages: new Map(),
  foreign: [],
});

/** csp's own format, the value of `csp.version`. */
export const lockfileFormat = 1;
const highestBunVersion = 3;
const maxBytes = 64 * 1024 * 1024;
const maxPackages = 200_000;

/**
 * Parses a lockfile. `origin` is `csp` for the project's file, which must carry csp's key, or `bun` for what the resolver
 * wrote. Throws CSP_LOCKFILE_INVALID or CSP_LOCKFILE_NEWER.
 */
export function parseLockfile(text: string, file: string, origin: "csp" | "bun" = "csp"): Lockfile {
  const damaged = (why: string, details: string[] = []): never => {
    throw new CspError("CSP_LOCKFILE_INVALID", {
      message: `\`${file}\` ${why}`,
      details,
      hint: "restore it from version control, or remove it and run `csp lock`",
    });
  };
  if (text.length > maxBytes) damaged(`is larger than ${maxBytes / 1024 / 1024} MiB`);
  const raw = readRaw(text, damaged);
  const bunVersion = raw.lockfileVersion;
  if (typeof bunVersion !== "number" || bunVersion < 1) damaged("is not a lockfile: it has no `lockfileVersion`");
  const csp = isObject(raw.csp) ? raw.csp : undefined;
  if (origin === "csp" && csp === undefined) damaged("was not written by csp: it has no `csp` key");
  if (
    (bunVersion as number) > highestBunVersion ||
    (typeof csp?.version === "number" && csp.version > lockfileFormat)
  ) {
    throw new CspError("CSP_LOCKFILE_NEWER", {
      message: `\`${file}\` was written by a newer csp`,
      details: [
        `it has format ${String(csp?.version ?? "?")}/${String(bunVersion)}, this csp reads up to ${lockfileFormat}/${highestBunVersion}`,
      ],
      hint: "update csp on this machine",
    });
  }
  if (csp !== undefined && csp.version !== lockfileFormat) damaged("has no valid `csp.version`");
  const linker = csp?.linker ?? "isolated";
  if (linker !== "isolated" && linker !== "hoisted") return damaged("has an unknown `csp.linker`");
  const root = isObject(raw.workspaces) ? raw.workspaces[""] : undefined;
  if (!isObject(root)) return damaged("has no root in `workspaces`");
  if (!isObject(raw.packages)) return damaged("has no `packages`");
  const learned = isObject(csp?.packages) ? csp.packages : {};

  const problems: string[] = [];
  const packages = new Map<string, LockedPackage>();
  const foreign: ForeignPackage[] = [];
  const entries = Object.entries(raw.packages);
  if (entries.length > maxPackages) damaged(`names ${entries.length} packages; csp reads up to ${maxPackages}`);
  for (const [location, tuple] of entries) {
    const read = readPackage(location, tuple, learned);
    if (typeof read === "string") problems.push(`${JSON.stringify(location)}: ${read}`);
    else if ("source" in read) foreign.push(read);
    else packages.set(location, read);
    if (problems.length > 20) break;
  }
  const roots = {
    dependencies: readNames(root.dependencies) ?? damaged("has bad root dependencies"),
    optionalDependencies: readNames(root.optionalDependencies) ?? damaged("has bad root dependencies"),
  };
  if (problems.length > 0) damaged("names packages that cannot be", problems);
  return { linker, ...roots, packages, foreign };
}

/** Native parsing for the canonical form, which cannot hide a duplicate key; the strict reader for every other. */
function readRaw(text: string, damaged: (why: string, details?: string[]) => never): JsonObject {
  if (/^(<{7}|={7}|>{7})( |$)/m.test(text))
    damaged("holds the marks of a merge conflict", ["resolve script-packages.yaml first"]);
  try {
    const quick = JSON.parse(text) as Json;
    if (isObject(quick) && withoutLayout(text) === JSON.stringify(quick)) return quick;
  } catch {
    // not canonical; the strict reader says what is wrong
  }
  const result = parseJsonc(text);
  if ("problem" in result) {
    const { line, column, message } = result.problem;
    return damaged("cannot be read", [`line ${line}, column ${column}: ${message}`]);
  }
  return isObject(result.value) ? result.value : damaged("is not a lockfile");
}

function readPackage(
  location: string,
  tuple: Json | undefined,
  learned: JsonObject,
): LockedPackage | ForeignPackage | string {
  const segments = splitLocation(location);
  if (segments === undefined) return "not a location";
  if (!Array.isArray(tuple) || typeof tuple[0] !== "string") return "not a package entry";
  const at = tuple[0].indexOf("@", 1);
  const name = tuple[0].slice(0, at);
  const version = tuple[0].slice(at + 1);
  if (at < 0 || !isSafeName(name)) return "not a package name";
  if (!/^\d/.test(version)) return { location, source: printable(version) };
  if (!isVersion(version)) return "not an exact version";
  const [, url, info, integrity] = tuple;
  if (tuple.length !== 4 || typeof url !== "string" || !isObject(info) || typeof integrity !== "string")
    return "not a registry package";
  const dependencies = readNames(info.dependencies);
  const optionalDependencies = readNames(info.optionalDependencies);
  const peerDependencies = readNames(info.peerDependencies);
  const optionalPeers = readList(info.optionalPeers);
  const unresolved = readList(info.unresolved);
  const os = readList(info.os);
  const cpu = readList(info.cpu);
  const libc = readList(info.libc);
  const bin = readBin(info.bin, name);
  if (!dependencies || !optionalDependencies || !peerDependencies || !optionalPeers || !unresolved)
    return "bad dependencies";
  if (!os || !cpu || !libc) return "bad platform limits";
  if (!bin || (info.binDir !== undefined && !isInside(info.binDir))) return "a binary outside the package";
  const facts = learned[`${name}@${version}`];
  const result: LockedPackage = {
    location,
    segments,
    name,
    version,
    integrity: parseIntegrity(integrity),
    url,
    dependencies,
    optionalDependencies,
    peerDependencies,
    optionalPeers,
    unresolved,
    limits: os.length + cpu.length + libc.length === 0 ? noLimits : { os, cpu, libc },
    bin,
    binDir: info.binDir as string | undefined,
    hasInstallScript: info.hasInstallScript === true,
    bundled: info.bundled === true,
  };
  if (isObject(facts)) {
    if (typeof facts.size === "number" && Number.isSafeInteger(facts.size) && facts.size >= 0) result.size = facts.size;
    if (typeof facts.published === "string") result.published = facts.published;
    if (typeof facts.tarball === "string") {
      if (!isTarballPath(facts.tarball)) return "a tarball path outside the registry";
      result.tarball = facts.tarball;
    }
  }
  return result;
}

const noNames: Readonly<Record<string, string>> = Object.freeze(Object.create(null) as Record<string, string>);
const noList: readonly string[] = Object.freeze([]);
const noLimits: PlatformLimits = Object.freeze({ os: noList, cpu: noList, libc: noList });

function readNames(value: Json | undefined): Readonly<Record<string, string>> | undefined {
  if (value === undefined) return noNames;
  if (!isObject(value)) return undefined;
  for (const name in value) if (!isSafeName(name) || typeof value[name] !== "string") return undefined;
  return value as Record<string, string>;
}

function readList(value: Json | undefined): readonly string[] | undefined {
  if (value === undefined) return noList;
  if (typeof value === "string") return [value];
  return Array.isArray(value) && value.every((item) => typeof item === "string") ? (value as string[]) : undefined;
}

function readBin(value: Json | undefined, name: string): Readonly<Record<string, string>> | undefined {
  if (value === undefined) return noNames;
  const bins = typeof value === "string" ? { [name.slice(name.lastIndexOf("/") + 1)]: value } : value;
  if (!isObject(bins)) return undefined;
  for (const key in bins) if (!isBinName(key) || !isInside(bins[key])) return undefined;
  return bins as Record<string, string>;
}

/** A command name that stays inside `.bin`; a scope is dropped by whoever links it. */
function isBinName(name: string): boolean {
  const base = name.slice(name.lastIndexOf("/") + 1);
  return base !== "" && base !== "." && base !== ".." && /^(@[^/\\\0]+\/)?[^/\\\0]+$/.test(name);
}

function isInside(path: Json | undefined): boolean {
  if (typeof path !== "string" || path === "" || /[\\\0]/.test(path) || path.startsWith("/")) return false;
  return !path.split("/").includes("..");
}

/** An exact semantic version, prerelease and build included; 256 characters at most. */
function isVersion(text: string): boolean {
  return text.length <= 256 && /^\d+\.\d+\.\d+(?:-[\w.-]+)?(?:\+[\w.-]+)?$/.test(text);
}

/** A foreign text made safe for a terminal. */
function printable(text: string): string {
  return text
    .replace(/[\x00-\x1f\x7f-\x9f]/g, "?")
    .replace(/\/\/[^/@]*@/, "//***@")
    .slice(0, 200);
}
