/** What a registry says of a package: parsed to types at the edge, tolerant of rubbish in single versions. */
import { readBody } from "./body.ts";
import { badAnswer, htmlAnswer, type Subject } from "./failures.ts";
import { ask, type Question, type RequestContext } from "./request.ts";

export type Names = ReadonlyMap<string, string>;

export interface PackumentVersion {
  version: string;
  dist: {
    tarball: string;
    integrity: string | undefined;
    shasum: string | undefined;
    /** Bytes. */
    unpackedSize: number | undefined;
  };
  dependencies: Names;
  optionalDependencies: Names;
  peerDependencies: Names;
  /** The authors' words; undefined where the version is not deprecated. */
  deprecated: string | undefined;
  os: readonly string[];
  cpu: readonly string[];
  libc: readonly string[];
  /** Command name → path in the package. */
  bin: Names;
  license: string | undefined;
  hasInstallScript: boolean;
}

export interface Packument {
  name: string;
  distTags: Names;
  versions: ReadonlyMap<string, PackumentVersion>;
  /** Version → ISO time of publication; undefined in the abbreviated form. */
  time: Names | undefined;
  /** Versions that were left out because csp cannot make sense of them, sorted. */
  skipped: readonly string[];
}

/** Larger than any real package's by far. */
export const packumentLimit = 200 * 1024 * 1024;

/** The packument; `full` adds times and licences. Throws CSP_REGISTRY_ANSWER where the answer is not one. */
export function fetchPackument(
  context: RequestContext,
  name: string,
  options: { full: boolean; maxBytes?: number },
): Promise<Packument> {
  const registryUrl = context.configuration.registryFor(name).url;
  const subject: Subject = { what: `\`${name}\``, registryUrl };
  const question: Question = {
    subject,
    url: registryUrl + encodeURIComponent(name).replace(/^%40/, "@").replace(/%2F/g, "%2f"),
    method: "GET",
    accept: options.full
      ? "application/json"
      : "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*; q=0.5",
    decompress: true,
  };
  return ask(context, question, async (answer) => {
    const body = await readBody(context, question, answer, options.maxBytes ?? packumentLimit);
    if (!("value" in body)) return body;
    const packument = parsePackument(parseJson(subject, answer.url, body.value), name);
    if (typeof packument === "string") throw badAnswer(subject, answer.url, packument);
    return { value: packument };
  });
}

/** Reads a decoded packument; a string says what is wrong with it. */
export function parsePackument(document: unknown, name: string): Packument | string {
  if (!isRecord(document)) return "is not a JSON object";
  if (document.name !== name) return "is about another package";
  if (!isRecord(document.versions)) return "has no versions";
  const versions = new Map<string, PackumentVersion>();
  const skipped: string[] = [];
  for (const [version, manifest] of Object.entries(document.versions)) {
    const parsed = parseVersion(version, manifest);
    if (parsed) versions.set(version, parsed);
    else skipped.push(version);
  }
  return {
    name,
    distTags: names(document["dist-tags"]),
    versions,
    time: isRecord(document.time) ? names(document.time) : undefined,
    skipped: skipped.sort(),
  };
}

function parseVersion(version: string, manifest: unknown): PackumentVersion | undefined {
  if (!isRecord(manifest) || !isRecord(manifest.dist) || manifest.version !== version) return undefined;
  if (version.length > 256 || !/^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$/.test(version))
    return undefined;
  const { dist } = manifest;
  if (typeof dist.tarball !== "string") return undefined;
  const size = dist.unpackedSize;
  return {
    version,
    dist: {
      tarball: dist.tarball,
      integrity: text(dist.integrity),
      shasum: text(dist.shasum),
      unpackedSize: typeof size === "number" && Number.isSafeInteger(size) && size >= 0 ? size : undefined,
    },
    dependencies: names(manifest.dependencies),
    optionalDependencies: names(manifest.optionalDependencies),
    peerDependencies: names(manifest.peerDependencies),
    deprecated: manifest.deprecated === true ? "deprecated" : text(manifest.deprecated),
    os: list(manifest.os),
    cpu: list(manifest.cpu),
    libc: list(manifest.libc),
    bin: bins(manifest),
    license: license(manifest.license),
    hasInstallScript: manifest.hasInstallScript === true || hasInstallScript(manifest.scripts),
  };
}

function parseJson(subject: Subject, url: URL, bytes: Uint8Array): unknown {
  const decoded = new TextDecoder().decode(bytes);
  try {
    return JSON.parse(decoded);
  } catch {
    if (/^\s*</.test(decoded.slice(0, 1000))) throw htmlAnswer(subject, url);
    throw badAnswer(
      subject,
      url,
      "is not valid JSON",
      "the registry's URL may be wrong, or a proxy changed the answer",
    );
  }
}

/** The full form lists scripts where the abbreviated one has a flag. */
function hasInstallScript(scripts: unknown): boolean {
  return (
    isRecord(scripts) && ["preinstall", "install", "postinstall"].some((name) => text(scripts[name]) !== undefined)
  );
}

function bins(manifest: Record<string, unknown>): Names {
  if (typeof manifest.bin !== "string") return names(manifest.bin);
  const name = text(manifest.name);
  return name === undefined ? new Map() : new Map([[name.slice(name.indexOf("/") + 1), manifest.bin]]);
}

function license(value: unknown): string | undefined {
  return isRecord(value) ? text(value.type) : text(value);
}

function names(value: unknown): Names {
  const map = new Map<string, string>();
  if (isRecord(value))
    for (const [key, entry] of Object.entries(value)) if (typeof entry === "string") map.set(key, entry);
  return map;
}

function list(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return Array.isArray(value) ? value.filter((entry) => typeof entry === "string") : [];
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
