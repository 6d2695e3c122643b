/** What csp reads in a package's own package.json: is it the package that was locked, and which files are programs. */
import { printable, tarRefusal } from "./tar-rules.ts";

export interface PackageManifest {
  /** As written in package.json. */
  name: string;
  version: string;
  /** Command name to path inside the package; names and paths are checked, the files may be missing. */
  bin: Readonly<Record<string, string>>;
  /** Directory whose files are programs, where there is no `bin`. */
  binDirectory: string | undefined;
  /** Scripts that npm would run when installing; csp runs none. `binding.gyp` alone counts for npm too, not here. */
  installScripts: readonly ("preinstall" | "install" | "postinstall")[];
  /** False where package.json says `"gypfile": false`. */
  gypfile: boolean;
}

/** Reads package.json and compares it with what was locked; throws CSP_TARBALL_INVALID. */
export function parseManifest(bytes: Uint8Array, expected: { name: string; version: string }): PackageManifest {
  const manifest = readJson(bytes);
  const { name, version } = manifest;
  if (typeof name !== "string" || typeof version !== "string") {
    throw tarRefusal("manifest-invalid", "package.json has no name or no version");
  }
  // Registry names were not always lower case, and some old packages say it their own way.
  if (name.trim().toLowerCase() !== expected.name.toLowerCase() || !sameVersion(version, expected.version)) {
    throw tarRefusal("manifest-mismatch", `package.json says \`${printable(`${name}@${version}`)}\``);
  }
  const scripts = isRecord(manifest.scripts) ? manifest.scripts : {};
  const directories = isRecord(manifest.directories) ? manifest.directories : {};
  const bin = readBin(manifest.bin, name.trim());
  const binDirectory = directories.bin;
  return {
    name,
    version,
    bin,
    binDirectory:
      manifest.bin === undefined && typeof binDirectory === "string"
        ? insidePackage(binDirectory, "directories.bin")
        : undefined,
    installScripts: (["preinstall", "install", "postinstall"] as const).filter(
      (script) => typeof scripts[script] === "string" && Object.hasOwn(scripts, script),
    ),
    gypfile: manifest.gypfile !== false,
  };
}

function readJson(bytes: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    // The decoder drops a byte order mark, as npm does.
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw tarRefusal("manifest-invalid", "package.json is not JSON", undefined, cause);
  }
  if (!isRecord(value)) throw tarRefusal("manifest-invalid", "package.json is not a JSON object");
  return value;
}

/** npm's forms: one path (the command has the package's name without its scope), a map, or a list of paths. */
function readBin(value: unknown, packageName: string): Record<string, string> {
  const bin: Record<string, string> = Object.create(null);
  const add = (name: string, path: unknown) => {
    if (typeof path === "string") bin[commandName(name)] = insidePackage(path, `bin \`${printable(name)}\``);
  };
  if (typeof value === "string") add(packageName, value);
  else if (Array.isArray(value)) {
    for (const path of value) if (typeof path === "string") add(path.slice(path.lastIndexOf("/") + 1), path);
  } else if (isRecord(value)) for (const [name, path] of Object.entries(value)) add(name, path);
  return bin;
}

/** A command lands in `node_modules/.bin/<name>`; npm and csp drop a scope or folder before the name. */
function commandName(name: string): string {
  const parts = name.split("/");
  const plain = parts.at(-1) ?? "";
  if (plain === "" || plain === "." || parts.includes("..") || /[\\\x00-\x1f\x7f-\x9f]/.test(name)) {
    throw tarRefusal("bin", `package.json has a bin of the name \`${printable(name)}\``);
  }
  return plain;
}

/** `./cli.js`, `/cli.js` and `a/../cli.js` all mean `cli.js`; what climbs out is refused. */
function insidePackage(path: string, what: string): string {
  const segments: string[] = [];
  let outside = /[\\\x00-\x1f\x7f-\x9f]|^[A-Za-z]:/.test(path);
  for (const segment of path.split("/")) {
    if (segment === "..") outside ||= segments.pop() === undefined;
    else if (segment !== "" && segment !== ".") segments.push(segment);
  }
  if (outside) throw tarRefusal("bin", `package.json has ${what} at \`${printable(path)}\`, outside the package`);
  return segments.join("/");
}

/**
 * True where two spellings mean one release: `v1.2.3`, `=1.2.3`, ` 1.2.3 `, `01.2.3` and `1.2.3+build` are all what a
 * registry lists as `1.2.3`, and `1.2.3beta` is `1.2.3-beta`.
 */
export function sameVersion(a: string, b: string): boolean {
  return a === b || plainVersion(a) === plainVersion(b);
}

function plainVersion(version: string): string {
  const match = /^[=v\s]*(\d+)\.(\d+)\.(\d+)(?:-?([0-9A-Za-z-][0-9A-Za-z.-]*))?(?:\+.*)?$/.exec(version.trim());
  if (match === null) return version;
  const [, major, minor, patch, pre = ""] = match;
  const numbers = [major, minor, patch].map(withoutZeros).join(".");
  const identifiers = pre.split(".").map((part) => (/^\d+$/.test(part) ? withoutZeros(part) : part));
  return pre === "" ? numbers : `${numbers}-${identifiers.join(".")}`;
}

function withoutZeros(digits: string | undefined): string {
  return (digits ?? "").replace(/^0+(?=\d)/, "");
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
