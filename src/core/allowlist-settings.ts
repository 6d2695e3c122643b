/** The settings of an allowlist: everything in it beside `packages`. */
import { nearest } from "./nearest.ts";
import { checkRegistryName } from "./package-name.ts";
import { type Platform, parsePlatform, platformName } from "./platform.ts";
import { quoted } from "./quote.ts";
import {
  describe,
  place,
  type Report,
  readBoolean,
  readChoice,
  readCount,
  readDuration,
  readFields,
  readSize,
  readText,
} from "./yaml-fields.ts";
import type { YamlNode, YamlPair } from "./yaml-tree.ts";

export type Linker = "isolated" | "hoisted";

export interface AllowlistSettings {
  registry: {
    /** Ends with `/`. Absent: what the machine's npm configuration says. */
    url?: string;
    /** `@scope` to the registry that alone serves it; each ends with `/`. */
    scopes: ReadonlyMap<string, string>;
  };
  linker: Linker;
  /** Whose blobs are published; undefined: all that the lockfile names. */
  platforms: readonly Platform[] | undefined;
  /** Bytes, of all blobs together. */
  sizeCap: { warn?: number; block?: number };
  /** Milliseconds. */
  minimumReleaseAge: number | undefined;
  /** Bytes that an installation leaves free on a host's disk. */
  minimumFreeSpace: number | undefined;
  /** Addresses of stores in the order they are read; the first is the one that is written. They never hold a password. */
  stores: readonly string[];
  gc: {
    /** Trees before the current one that stay. */
    keepPrevious: number;
    /** Releases of each channel that stay in the store. */
    keepReleases: number;
    /** Milliseconds that a retired tree stays. */
    treeGrace: number;
    /** Milliseconds that a blob stays, here once no tree needs it, in the store once no release does. */
    blobGrace: number;
    /** Collect after every switch. */
    auto: boolean;
  };
}

/** Every key an allowlist can have at the top, and inside its settings. The JSON Schema names the same. */
export const knownKeys = {
  top: [
    "packages",
    "registry",
    "linker",
    "platforms",
    "sizeCap",
    "minimumReleaseAge",
    "minimumFreeSpace",
    "store",
    "gc",
  ],
  entry: ["version", "enabled", "optional", "reason"],
  registry: ["url", "scopes"],
  sizeCap: ["warn", "block"],
  gc: ["keepPrevious", "keepReleases", "treeGrace", "blobGrace", "auto"],
} as const;

/** The systems and processors of Node and Bun; others are taken for a slip. */
const systems = ["linux", "darwin", "win32", "freebsd", "openbsd", "netbsd", "sunos", "aix", "android"];
const processors = ["x64", "arm64", "arm", "ia32", "ppc64", "s390x", "riscv64", "loong64", "mips", "mipsel"];

const storeKinds = ["file", "s3", "postgres", "https", "http", "oci"];

const hour = 3_600_000;

/** Reads the settings from the fields at the top; reports what is wrong and goes on with the default. */
export function readSettings(top: ReadonlyMap<string, YamlPair>, report: Report): AllowlistSettings {
  const sizes = readFields(top.get("sizeCap")?.value, "`sizeCap`", knownKeys.sizeCap, report);
  const warn = readSize(sizes.get("warn"), report);
  const block = readSize(sizes.get("block"), report);
  const blockPair = sizes.get("block");
  if (warn !== undefined && block !== undefined && warn > block && blockPair) {
    report(place(blockPair), "`block` is smaller than `warn`, so the warning would never come");
  }
  const gc = readFields(top.get("gc")?.value, "`gc`", knownKeys.gc, report);
  return {
    registry: readRegistry(top.get("registry")?.value, report),
    linker: readChoice(top.get("linker"), ["isolated", "hoisted"], report) ?? "isolated",
    platforms: readPlatforms(top.get("platforms"), report),
    sizeCap: { ...(warn === undefined ? {} : { warn }), ...(block === undefined ? {} : { block }) },
    minimumReleaseAge: readDuration(top.get("minimumReleaseAge"), report),
    minimumFreeSpace: readSize(top.get("minimumFreeSpace"), report),
    stores: readStores(top.get("store"), report),
    gc: {
      keepPrevious: readCount(gc.get("keepPrevious"), 1000, report) ?? 1,
      keepReleases: readCount(gc.get("keepReleases"), 1000, report) ?? 10,
      treeGrace: readDuration(gc.get("treeGrace"), report) ?? hour,
      blobGrace: readDuration(gc.get("blobGrace"), report) ?? 24 * hour,
      auto: readBoolean(gc.get("auto"), report) ?? false,
    },
  };
}

function readRegistry(node: YamlNode | undefined, report: Report): AllowlistSettings["registry"] {
  const fields = readFields(node, "`registry`", knownKeys.registry, report);
  const url = readRegistryUrl(fields.get("url"), report);
  const scopes = new Map<string, string>();
  for (const [scope, pair] of readFields(fields.get("scopes")?.value, "`scopes`", undefined, report)) {
    if (!scope.startsWith("@") || checkRegistryName(`${scope}/x`) !== undefined) {
      report(pair.key, `${quoted(scope)} is not a scope; one is written \`"@acme"\``);
      continue;
    }
    const scopeUrl = readRegistryUrl(pair, report);
    if (scopeUrl !== undefined) scopes.set(scope, scopeUrl);
  }
  return { ...(url === undefined ? {} : { url }), scopes };
}

/** Nothing of a registry's address is ever repeated in a message: it may hold a token. */
function readRegistryUrl(pair: YamlPair | undefined, report: Report): string | undefined {
  const text = readText(pair, report);
  if (pair === undefined || text === undefined) return undefined;
  const url = URL.parse(text);
  const name = quoted(pair.name);
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:") || /[\s$\\]/.test(text)) {
    report(place(pair), `${name} is the address of a registry, such as \`https://npm.example.com/\``);
  } else if (text.includes("@")) {
    report(place(pair), `${name} holds credentials, which never stand in this file`, credentialsHint);
  } else if (url.search !== "" || url.hash !== "" || /[?#]/.test(text)) {
    report(place(pair), `${name} has a \`?\` or \`#\`; a registry's address ends with its path`);
  } else {
    return url.href.endsWith("/") ? url.href : `${url.href}/`;
  }
  return undefined;
}

const credentialsHint =
  "take it out, put it into the npm configuration of the machine, and replace it: a committed token is known";

function readPlatforms(pair: YamlPair | undefined, report: Report): Platform[] | undefined {
  if (pair === undefined) return undefined;
  if (pair.value.kind !== "list" || pair.value.items.length === 0) {
    report(
      place(pair),
      `\`platforms\` is a list such as \`[linux-x64, darwin-arm64]\`, not ${describeList(pair.value)}`,
    );
    return undefined;
  }
  const platforms = new Map<string, Platform>();
  for (const item of pair.value.items) {
    const text = item.kind === "scalar" && typeof item.value === "string" ? item.value : undefined;
    const platform = text === undefined ? undefined : parsePlatform(text);
    if (platform === undefined || text === undefined) {
      report(item, `${describe(item)} is not a platform; one is written \`linux-x64\` or \`linux-arm64-musl\``);
    } else if (!systems.includes(platform.os) || !processors.includes(platform.cpu)) {
      const os = systems.includes(platform.os) ? platform.os : nearest(platform.os, systems);
      const cpu = processors.includes(platform.cpu) ? platform.cpu : nearest(platform.cpu, processors);
      const near = os && cpu ? `; did you mean \`${platformName({ ...platform, os, cpu })}\`?` : "";
      report(item, `${quoted(text)} is not a platform that Node or Bun knows${near}`);
    } else if (platforms.has(text)) {
      report(item, `${quoted(text)} stands twice in \`platforms\``);
    } else {
      platforms.set(text, platform);
    }
  }
  return [...platforms.values()];
}

function describeList(node: YamlNode): string {
  return node.kind === "list" ? "an empty list; leave it out for all platforms" : describe(node);
}

/** One address, or a list of them. */
function readStores(pair: YamlPair | undefined, report: Report): string[] {
  if (pair === undefined) return [];
  if (pair.value.kind !== "list") {
    const text = readText(pair, report);
    return text === undefined ? [] : readStore(text, place(pair), report);
  }
  if (pair.value.items.length === 0) report(place(pair), "`store` is an empty list; leave it out instead");
  return pair.value.items.flatMap((item) => {
    if (item.kind === "scalar" && typeof item.value === "string") return readStore(item.value, item, report);
    report(item, `${describe(item)} is not the address of a store`);
    return [];
  });
}

/** Like a registry's address, a store's is never repeated in a message. */
function readStore(text: string, at: Parameters<Report>[0], report: Report): string[] {
  const kind = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(text)?.[1];
  if (kind === undefined || !storeKinds.includes(kind)) {
    const near = kind === undefined ? undefined : nearest(kind, storeKinds);
    const help = near === undefined ? "such as `s3://bucket/prefix` or `file:/srv/csp`" : `did you mean \`${near}:\`?`;
    report(at, `\`store\` is the address of a store; ${help}`);
    return [];
  }
  // `//user:password@`, `//token@`; Postgres alone has user names that are no secret.
  const authority = /^[a-z0-9]+:\/\/([^/?#]*)@/.exec(text)?.[1];
  const secretUser = authority !== undefined && (kind !== "postgres" || authority.includes(":"));
  if (secretUser || /[?&#][^=&]*(?:pass|pwd|secret|token|signature|credential|key)[^=&]*=/i.test(text)) {
    report(
      at,
      "`store` holds credentials, which never stand in this file",
      "take it out and give it to the host in its environment",
    );
    return [];
  }
  return [text];
}
