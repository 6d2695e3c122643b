/** What a test registry can serve: packages described in a few words, built into tarballs and packument entries. */
import { createHash } from "node:crypto";
import { packTarball, type TarEntry } from "./tarball.ts";

/** Everything about a published version that its files do not say. */
export interface PackageMeta {
  /** Publish time, ISO-8601. Defaults to 2020-01-01T00:00:00.000Z. */
  time?: string;
  /** Publish time as an age at the start of the registry: `90m`, `2h`, `3d`. */
  age?: string;
  deprecated?: string;
  /** What `dist` says of the bytes. Defaults to sha512 and shasum, both right. */
  integrity?: "sha512" | "sha1" | "md5" | "none" | "wrong";
  /** Path of the tarball on the registry. Defaults to npm's `/<name>/-/<base>-<version>.tgz`. */
  tarballPath?: string;
  /** Defaults to whether package.json has preinstall, install or postinstall. */
  hasInstallScript?: boolean;
  /** Dist-tags that point here. `latest` is the highest version that is no prerelease, unless given. */
  tags?: string[];
  /** Top directory in the tarball. Defaults to `package`. */
  top?: string;
  /** Adds a file `padding.bin` of so many bytes. */
  padding?: number;
  /** More archive entries, paths as they are. */
  extra?: TarEntry[];
}

export interface PackageSpec {
  name: string;
  version: string;
  /** Path in the package → content. Without `package.json` one is made; without any file an `index.js` too. */
  files?: Readonly<Record<string, string>>;
  meta?: PackageMeta;
  /** The tarball's bytes, where the test makes them itself. */
  tarball?: Uint8Array;
}

export interface BuiltPackage {
  name: string;
  version: string;
  /** package.json as served in packuments, without `dist`. */
  manifest: Record<string, unknown>;
  tarball: Uint8Array;
  /** sha512 of the tarball, hex. */
  digest: string;
  /** `sha512-<base64>` of the tarball. */
  integrity: string;
  /** The integrity fields of `dist`, which may lie. */
  dist: { integrity?: string; shasum?: string };
  /** Path of the tarball on the registry. */
  path: string;
  time: string;
  tags: readonly string[];
}

const metaKeys: Readonly<Record<keyof PackageMeta, true>> = {
  time: true,
  age: true,
  deprecated: true,
  integrity: true,
  tarballPath: true,
  hasInstallScript: true,
  tags: true,
  top: true,
  padding: true,
  extra: true,
};

/** Builds one version. Throws on a package.json or meta that no test can mean. */
export function buildPackage(spec: PackageSpec): BuiltPackage {
  const { name, version, meta = {} } = spec;
  for (const key of Object.keys(meta)) {
    if (!Object.hasOwn(metaKeys, key)) throw new Error(`${name}@${version}: unknown key in .meta.json: ${key}`);
  }
  const files = { ...spec.files };
  const manifest = readManifest(spec);
  const text = files["package.json"]?.trim() ?? "";
  const complete = text !== "" && Object.hasOwn(JSON.parse(text), "name") && Object.hasOwn(JSON.parse(text), "version");
  if (!complete) files["package.json"] = `${JSON.stringify(manifest, null, 2)}\n`;
  if (Object.keys(files).length === 1 && manifest.main === undefined && manifest.exports === undefined) {
    files["index.js"] = `module.exports = ${JSON.stringify(`${name}@${version}`)};\n`;
  }
  const tarball = spec.tarball ?? packTarball(entriesOf(files, meta));
  const hash = (algorithm: string, bytes: Uint8Array) => createHash(algorithm).update(bytes);
  const integrity = `sha512-${hash("sha512", tarball).digest("base64")}`;
  const base = name.slice(name.indexOf("/") + 1);
  const shasum = hash("sha1", tarball).digest("hex");
  const dists: Record<NonNullable<PackageMeta["integrity"]>, BuiltPackage["dist"]> = {
    sha512: { integrity, shasum },
    sha1: { shasum },
    md5: { integrity: `md5-${hash("md5", tarball).digest("base64")}` },
    none: {},
    wrong: { integrity: `sha512-${hash("sha512", Buffer.from("other bytes")).digest("base64")}`, shasum },
  };
  const scripts = (manifest.scripts ?? {}) as Record<string, unknown>;
  const hasInstallScript =
    meta.hasInstallScript ?? ["preinstall", "install", "postinstall"].some((key) => key in scripts);
  if (hasInstallScript) manifest.hasInstallScript = true;
  if (meta.deprecated !== undefined) manifest.deprecated = meta.deprecated;
  return {
    name,
    version,
    manifest,
    tarball,
    digest: hash("sha512", tarball).digest("hex"),
    integrity,
    dist: dists[meta.integrity ?? "sha512"],
    path: meta.tarballPath ?? `/${name}/-/${base}-${version}.tgz`,
    time: meta.age === undefined ? (meta.time ?? "2020-01-01T00:00:00.000Z") : timeBefore(meta.age),
    tags: meta.tags ?? [],
  };
}

function readManifest({ name, version, files }: PackageSpec): Record<string, unknown> {
  const text = files?.["package.json"]?.trim() || "{}";
  try {
    return { name, version, ...(JSON.parse(text) as Record<string, unknown>) };
  } catch (error) {
    throw new Error(`${name}@${version}: package.json of the test registry is no JSON: ${(error as Error).message}`);
  }
}

function entriesOf(files: Readonly<Record<string, string>>, meta: PackageMeta): TarEntry[] {
  const top = meta.top ?? "package";
  const entries: TarEntry[] = Object.keys(files)
    .sort()
    .map((path) => ({ path: `${top}/${path}`, content: files[path] ?? "" }));
  if (meta.padding !== undefined) entries.push({ path: `${top}/padding.bin`, content: new Uint8Array(meta.padding) });
  return [...entries, ...(meta.extra ?? [])];
}

function timeBefore(age: string): string {
  const match = /^(\d+)([mhd])$/.exec(age);
  if (!match) throw new Error(`an age is a number and m, h or d: ${age}`);
  const unit = { m: 60e3, h: 3600e3, d: 86400e3 }[match[2] as "m" | "h" | "d"];
  return new Date(Date.now() - Number(match[1]) * unit).toISOString();
}

/** Reads `<name>@<version>/<path>`, the form in which scripts write packages; `path` is empty for the bare name. */
export function parsePackagePath(text: string): { name: string; version: string; path: string } | undefined {
  const match = /^((?:@[^/@]+\/)?[^/@]+)@([^/]+)(?:\/(.+))?$/.exec(text);
  return match?.[1] && match[2] ? { name: match[1], version: match[2], path: match[3] ?? "" } : undefined;
}

/** Gathers files of the form `<name>@<version>/<path>` into packages; `.meta.json` is read, not packed. */
export function gatherPackages(files: Iterable<{ path: string; text: string }>): PackageSpec[] {
  const found = new Map<string, { name: string; version: string; files: Record<string, string>; meta?: PackageMeta }>();
  for (const { path, text } of files) {
    const parsed = parsePackagePath(path);
    if (!parsed) throw new Error(`not of the form name@version/path: ${path}`);
    const key = `${parsed.name}@${parsed.version}`;
    const spec = found.get(key) ?? { name: parsed.name, version: parsed.version, files: {} };
    found.set(key, spec);
    if (parsed.path === ".meta.json") spec.meta = JSON.parse(text) as PackageMeta;
    else spec.files[parsed.path || "package.json"] = text;
  }
  return [...found.values()];
}
