/** What a user types to `csp add`: `lodash`, `lodash@^4`, `react@next`, `alias@npm:@acme/tools@2.1.0`. */
import { CspError } from "./errors.ts";
import { checkExactVersion, checkPackageName, checkRegistryName } from "./package-name.ts";
import { quoted } from "./quote.ts";

/** Which version of a package is asked for. */
export interface Want {
  /** `tag` includes `latest`, which a bare name means. A `range` is in npm's syntax. */
  kind: "exact" | "range" | "tag";
  text: string;
}

export interface PackageSpec {
  /** The name that scripts will import, and the allowlist's key. */
  key: string;
  /** The name in the registry; differs from `key` for an alias. */
  name: string;
  want: Want;
}

/**
 * Reads one argument of `csp add`.
 * Throws CSP_SOURCE_REFUSED for git, URLs, files and workspaces, CSP_NAME_INVALID for all else that is not a spec.
 */
export function parsePackageSpec(text: string): PackageSpec {
  const at = text.indexOf("@", 1);
  const key = at < 0 ? text : text.slice(0, at);
  const rest = at < 0 ? undefined : text.slice(at + 1);
  if (!key.startsWith("@") && (rest === undefined || /[:\\]|^[./~]/.test(key))) requireRegistry(text, text);
  if (/^@[^/]*$/.test(key)) {
    throw invalid(text, "a tag or a version stands after a name", "write it as in `csp add react@next`");
  }
  if (key.startsWith("npm:")) {
    throw invalid(text, "an alias needs the name that scripts import", "write it as in `csp add alias@npm:name@1.2.3`");
  }
  requireName(text, key, checkPackageName(key));
  if (!rest?.startsWith("npm:")) {
    if (rest !== undefined) requireRegistry(text, rest);
    return { key, name: key, want: parseWant(text, key, rest) };
  }
  const target = rest.slice("npm:".length);
  const targetAt = target.indexOf("@", 1);
  const name = targetAt < 0 ? target : target.slice(0, targetAt);
  requireName(text, name, checkRegistryName(name));
  const targetRest = targetAt < 0 ? undefined : target.slice(targetAt + 1);
  if (targetRest !== undefined) requireRegistry(text, targetRest);
  return { key, name, want: parseWant(text, name, targetRest) };
}

/**
 * What text in the place of a version would have npm fetch from outside a registry (`a git repository`, `a URL`, …);
 * undefined for versions, ranges, tags and `npm:` aliases.
 */
export function sourceKind(text: string): string | undefined {
  if (/^npm:/i.test(text)) return undefined;
  if (/^(?:git[+:@]|ssh:|(?:github|gitlab|bitbucket|gist):)/i.test(text)) return "a git repository";
  if (/^(?:file|link|portal|patch):/i.test(text)) return "a file";
  if (/^(?:workspace|catalog):/i.test(text)) return "a workspace";
  if (/^(?:\.{0,2}|~)[/\\]|^[A-Za-z]:[\\/]|^\.{1,2}$/.test(text)) return "a file";
  if (/^[a-z][a-z0-9+.-]*:\/\/|^https?:/i.test(text)) return "a URL";
  if (/\.(?:tgz|tar\.gz|tar)$/i.test(text)) return "a file";
  if (/^[A-Za-z0-9._-]+\/[A-Za-z0-9._-]+(?:#.*)?$/.test(text)) return "a git repository";
  if (/\.git(?:#|$)/.test(text)) return "a git repository";
  return /[:/\\]/.test(text) ? "something that is not in a registry" : undefined;
}

function parseWant(spec: string, name: string, text: string | undefined): Want {
  if (text === undefined) return { kind: "tag", text: "latest" };
  const wanted = text.trim();
  if (wanted === "") throw invalid(spec, "nothing follows the `@`", `for the newest version run \`csp add ${name}\``);
  // npm reads `v1.2.3` and `=1.2.3` as the version itself.
  const version = wanted.replace(/^(?:=\s*)?v?(?=[0-9])/, "");
  if (checkExactVersion(version) === undefined) return { kind: "exact", text: version };
  if (isRange(wanted)) return { kind: "range", text: wanted };
  if (/^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(wanted) && /[A-Za-z]/.test(wanted) && wanted.length <= 214) {
    return { kind: "tag", text: wanted };
  }
  throw invalid(
    spec,
    `${quoted(wanted)} is neither a version, a range nor a tag`,
    `write it as in \`csp add ${name}@1.2.3\``,
  );
}

const part = "(?:0|[1-9][0-9]{0,15}|[xX*])";
const partial = `[v=]?\\s*${part}(?:\\.${part}(?:\\.${part}(?:-[0-9A-Za-z.-]+)?(?:\\+[0-9A-Za-z.-]+)?)?)?`;
const comparator = new RegExp(`^(?:~>?|\\^|[<>]=?|=)?${partial}$`);
const hyphen = new RegExp(`^${partial} - ${partial}$`);

/** True for the shape of an npm range. */
function isRange(text: string): boolean {
  // A number behind a placeholder, as in `x.1`, is not a range to every reader.
  if (text.length > 256 || /(?:^|[\s^~<>=v|.])[xX*]\.[0-9]/.test(text)) return false;
  return text.split("||").every((alternative) => {
    const words = alternative.trim().replace(/\s+/g, " ");
    if (words === "" || hyphen.test(words)) return text.includes("||") || words !== "";
    return words
      .replace(/(~>?|\^|[<>]=?|=) /g, "$1")
      .split(" ")
      .every((word) => comparator.test(word));
  });
}

function requireName(spec: string, name: string, reason: string | undefined): void {
  if (reason === undefined) return;
  const lower = name.toLowerCase();
  const hint =
    checkPackageName(lower) === undefined ? `did you mean \`${lower}\`?` : "write it as in `csp add lodash@^4`";
  throw new CspError("CSP_NAME_INVALID", {
    message: `${quoted(name)} cannot be the name of a package: ${reason}`,
    details: name === spec ? [] : [`in ${quoted(spec)}`],
    hint,
  });
}

function invalid(spec: string, reason: string, hint: string): CspError {
  return new CspError("CSP_NAME_INVALID", { message: `${quoted(spec)} cannot be read: ${reason}`, hint });
}

function requireRegistry(spec: string, text: string): void {
  const source = sourceKind(text);
  if (source === undefined) return;
  throw new CspError("CSP_SOURCE_REFUSED", {
    message: `${quoted(spec)} names ${source}; csp takes packages from a registry only`,
    hint: "publish the package to a registry, then run `csp add` with its name",
  });
}
