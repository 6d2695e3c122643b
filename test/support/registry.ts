/**
 * An npm registry on loopback for tests: packuments (whole and abbreviated), tarballs, faults on request, and a log of
 * everything that was asked. A path below `/at/<anything>` serves the same, for registries that do not live at `/`.
 */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { compare } from "semver";
import { type Answer, type Fault, faultOf, send, status } from "./faults.ts";
import { type BuiltPackage, buildPackage, type PackageSpec } from "./packages.ts";

/** One request that arrived. */
export interface SeenRequest {
  method: string;
  /** As sent, still escaped. */
  path: string;
  /** Names in lower case. */
  headers: Readonly<Record<string, string>>;
}

export interface TestRegistry {
  /** `http://127.0.0.1:<port>`, without a slash at the end. */
  readonly url: string;
  /** All requests since the start or the last `forget`, in order of arrival. */
  readonly requests: readonly SeenRequest[];
  /** Adds versions; one that is there is replaced. */
  publish(...specs: PackageSpec[]): void;
  unpublish(name: string, version: string): void;
  /** The built version. Throws where there is none. */
  package(name: string, version: string): BuiltPackage;
  /** Spoils requests whose path matches. The last one that matches counts. */
  fault(path: RegExp, kind: string, arg?: string): void;
  /** Takes all faults away. */
  heal(): void;
  /** Empties the log of requests. */
  forget(): void;
  /** Resolves as soon as so many requests (1) whose `METHOD path` matches have arrived. */
  arrival(pattern: RegExp, count?: number): Promise<void>;
  /** Refuses connections until `up`. */
  down(): Promise<void>;
  up(): Promise<void>;
  stop(): Promise<void>;
}

export interface RegistryOptions {
  /** Where the fault `redirect-other-host` points. */
  other?: () => string | undefined;
}

const abbreviatedType = "application/vnd.npm.install-v1+json";
const abbreviatedKeys = [
  ..."name version bin directories engines os cpu libc deprecated hasInstallScript funding".split(" "),
  ..."dependencies devDependencies optionalDependencies peerDependencies peerDependenciesMeta".split(" "),
  ..."bundleDependencies bundledDependencies acceptDependencies".split(" "),
];

/** Starts a registry on a free port of 127.0.0.1. The caller stops it. */
export async function startRegistry(
  specs: readonly PackageSpec[] = [],
  options: RegistryOptions = {},
): Promise<TestRegistry> {
  const packages = new Map<string, Map<string, BuiltPackage>>();
  const faults: { path: RegExp; fault: Fault; arg: string | undefined; hits: Map<string, number> }[] = [];
  const requests: SeenRequest[] = [];
  const waiting = new Set<() => void>();

  const server = createServer((request, response) => {
    requests.push(seen(request));
    for (const check of waiting) check();
    const path = request.url ?? "/";
    const answer = answerTo(request, url(), packages);
    const found = faults.findLast((each) => each.path.test(path));
    request.resume();
    if (!found) return send(response, answer);
    const hits = (found.hits.get(path) ?? 0) + 1;
    found.hits.set(path, hits);
    const spoiled = found.fault({ request, response, answer, arg: found.arg, hits, other: options.other?.() });
    if (spoiled) send(response, spoiled);
  });

  let port = 0;
  const url = () => `http://127.0.0.1:${port}`;
  const listen = () =>
    new Promise<void>((done, fail) => {
      server.once("error", fail);
      server.listen(port, "127.0.0.1", () => {
        server.off("error", fail);
        port = (server.address() as AddressInfo).port;
        done();
      });
    });
  const close = () =>
    new Promise<void>((done) => {
      server.close(() => done());
      server.closeAllConnections();
    });

  const registry: TestRegistry = {
    get url() {
      return url();
    },
    requests,
    publish(...added) {
      for (const spec of added) {
        const versions = packages.get(spec.name) ?? new Map<string, BuiltPackage>();
        packages.set(spec.name, versions.set(spec.version, buildPackage(spec)));
      }
    },
    unpublish(name, version) {
      packages.get(name)?.delete(version);
    },
    package(name, version) {
      const found = packages.get(name)?.get(version);
      if (!found) throw new Error(`the test registry has no ${name}@${version}`);
      return found;
    },
    fault(path, kind, arg) {
      faults.push({ path, fault: faultOf(kind), arg, hits: new Map() });
    },
    heal: () => void faults.splice(0),
    forget: () => void requests.splice(0),
    arrival: (pattern, count = 1) =>
      new Promise((done) => {
        const check = () => {
          if (requests.filter((each) => pattern.test(`${each.method} ${each.path}`)).length < count) return;
          waiting.delete(check);
          done();
        };
        waiting.add(check);
        check();
      }),
    down: close,
    up: listen,
    stop: close,
  };
  registry.publish(...specs);
  await listen();
  return registry;
}

function seen(request: IncomingMessage): SeenRequest {
  const headers = Object.entries(request.headers).map(([name, value]) => [name, String(value)]);
  return { method: request.method ?? "", path: request.url ?? "", headers: Object.fromEntries(headers) };
}

function answerTo(request: IncomingMessage, host: string, packages: Map<string, Map<string, BuiltPackage>>): Answer {
  const [, mount = "", rawPath = "/"] = /^(\/at\/[^/]+)?([^?]*)/.exec(request.url ?? "/") ?? [];
  if (request.method !== "GET" && request.method !== "HEAD") return status(405, "method not allowed");
  let path: string;
  try {
    path = decodeURIComponent(rawPath);
  } catch {
    return status(400, "bad path");
  }
  const versions = packages.get(path.slice(1));
  if (versions && versions.size > 0) return packument(request, host + mount, [...versions.values()]);
  for (const one of packages.values()) {
    for (const built of one.values()) if (built.path === path) return tarball(built);
  }
  return status(404, "not found");
}

function tarball({ tarball: body }: BuiltPackage): Answer {
  return {
    status: 200,
    headers: { "content-type": "application/octet-stream", "content-length": `${body.length}` },
    body,
  };
}

function packument(request: IncomingMessage, base: string, unsorted: BuiltPackage[]): Answer {
  const versions = unsorted.sort((a, b) => compare(a.version, b.version));
  const name = versions[0]?.name;
  const abbreviated = request.headers.accept?.includes(abbreviatedType) ?? false;
  const stable = versions.filter((each) => !each.version.includes("-"));
  const tags: Record<string, string> = { latest: (stable.at(-1) ?? versions.at(-1))?.version ?? "" };
  for (const each of versions) for (const tag of each.tags) tags[tag] = each.version;
  const times = Object.fromEntries(versions.map((each) => [each.version, each.time]));
  const sortedTimes = Object.values(times).sort();
  const entries = versions.map((each) => [each.version, entry(each, base, abbreviated)]);
  const document = {
    name,
    "dist-tags": tags,
    versions: Object.fromEntries(entries),
    ...(abbreviated
      ? { modified: sortedTimes.at(-1) }
      : { time: { created: sortedTimes[0], modified: sortedTimes.at(-1), ...times } }),
  };
  const body = Buffer.from(JSON.stringify(document));
  const etag = `"${Bun.hash(body).toString(16)}"`;
  const headers = { "content-type": abbreviated ? abbreviatedType : "application/json", etag };
  if (request.headers["if-none-match"] === etag) return { status: 304, headers, body: new Uint8Array() };
  return { status: 200, headers: { ...headers, "content-length": `${body.length}` }, body };
}

function entry(built: BuiltPackage, base: string, abbreviated: boolean): Record<string, unknown> {
  const { manifest } = built;
  const kept = abbreviated ? abbreviatedKeys.filter((key) => key in manifest) : Object.keys(manifest);
  return {
    ...Object.fromEntries(kept.map((key) => [key, manifest[key]])),
    dist: { ...built.dist, tarball: base + built.path.split("/").map(escapeSegment).join("/") },
  };
}

function escapeSegment(segment: string): string {
  return encodeURIComponent(segment).replaceAll("%40", "@");
}
