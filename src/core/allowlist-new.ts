/** The allowlist that `csp init` writes. */
import { parseAllowlist } from "./allowlist.ts";
import type { Linker } from "./allowlist-settings.ts";
import { formatScalar } from "./yaml-splice.ts";

/** What `csp init` was told; all that is absent stands in the file as a comment that shows how to set it. */
export interface NewAllowlist {
  linker?: Linker;
  registryUrl?: string;
  /** With its unit, as in `3d`. */
  minimumReleaseAge?: string;
  /** As in `linux-x64`. */
  platforms?: readonly string[];
  /** Addresses of stores; the first is published to. */
  stores?: readonly string[];
}

/** A commented allowlist without packages. Throws CSP_ALLOWLIST_INVALID where an option is not a valid setting. */
export function newAllowlist(options: NewAllowlist, file = "script-packages.yaml"): string {
  const text = [
    "# The npm packages that scripts may import, each at one exact version.",
    "# `csp add <name>` and `csp remove <name>` edit this file and keep what you write in it.",
    "packages: {}",
    "",
    "# isolated: a package sees only what it declares. hoisted: one flat folder, for packages that rely on it.",
    `linker: ${scalar(options.linker ?? "isolated")}`,
    "",
    "# Where packages come from. Without it: what the npm configuration of the machine says. No tokens here.",
    ...setting(options.registryUrl !== undefined, [
      "registry:",
      `  url: ${scalar(options.registryUrl ?? "https://npm.example.com/")}`,
      ...(options.registryUrl === undefined ? ['  scopes: { "@acme": https://npm.acme.example/ }'] : []),
    ]),
    "",
    "# Newly published versions wait that long before csp takes them.",
    ...setting(options.minimumReleaseAge !== undefined, [
      `minimumReleaseAge: ${scalar(options.minimumReleaseAge ?? "3d")}`,
    ]),
    "",
    "# All packages together: warn above one size, refuse above the other.",
    ...setting(false, ["sizeCap: { warn: 150MB, block: 300MB }"]),
    "",
    "# The platforms of your hosts. Without it: all that the packages support.",
    ...setting(options.platforms !== undefined, [
      `platforms: [${(options.platforms ?? ["linux-x64", "linux-arm64-musl"]).map(scalar).join(", ")}]`,
    ]),
    "",
    "# The store that hosts pull from.",
    ...setting(options.stores !== undefined, [`store: ${list(options.stores ?? ["s3://script-packages/prod"])}`]),
    "",
  ].join("\n");
  parseAllowlist(text, file);
  return text;
}

function setting(given: boolean, lines: readonly string[]): string[] {
  return lines.map((line) => (given ? line : `# ${line}`));
}

function list(values: readonly string[]): string {
  return values.length === 1 ? scalar(values[0] as string) : `[${values.map(scalar).join(", ")}]`;
}

function scalar(value: string): string {
  return formatScalar(value, "plain");
}
