/**
 * A registry on loopback that answers packuments from an object, and records what it was asked.
 * No tarballs: `bun install --lockfile-only` fetches none.
 */
import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Roots } from "../../../src/resolve/outcome.ts";
import { type Resolution, type ResolveRequest, resolve } from "../../../src/resolve/resolve.ts";
import { makeTemp, removeTree } from "../../support/temp.ts";

/** One version's manifest, without what the fixture fills in (name, version, dist). */
export type Manifest = Record<string, unknown>;

export interface FixturePackage {
  versions: Record<string, Manifest>;
  tags?: Record<string, string>;
  /** ISO time per version; a version not named was published in 2020. */
  time?: Record<string, string>;
}

/** What the registry does instead of answering for one name; `hang` never answers. */
export type Behaviour = { status: number; body?: string } | "hang";

export interface FixtureRegistry {
  url: string;
  /** `//127.0.0.1:port/`, as credentials in an npmrc start. */
  place: string;
  requests: { path: string; authorization: string | null }[];
  packages: Record<string, FixturePackage>;
  /** Settles when a hanging name is asked for. */
  asked: Promise<void>;
  /** Settles when the client of a hanging request is gone. */
  gone: Promise<void>;
  stop(): Promise<void>;
}

export function startRegistry(
  packages: Record<string, FixturePackage>,
  behaviours: Record<string, Behaviour> = {},
): FixtureRegistry {
  const requests: FixtureRegistry["requests"] = [];
  const asked = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    fetch(request) {
      const { pathname, origin } = new URL(request.url);
      requests.push({ path: pathname, authorization: request.headers.get("authorization") });
      const name = decodeURIComponent(pathname.slice(1));
      const behaviour = behaviours[name];
      if (behaviour === "hang") {
        request.signal.addEventListener("abort", () => gone.resolve());
        asked.resolve();
        return new Promise<Response>(() => {});
      }
      if (behaviour) return new Response(behaviour.body ?? "{}", { status: behaviour.status });
      const found = packages[name];
      return found
        ? Response.json(packument(name, found, origin))
        : Response.json({ error: "not found" }, { status: 404 });
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}/`,
    place: `//127.0.0.1:${server.port}/`,
    requests,
    packages,
    asked: asked.promise,
    gone: gone.promise,
    stop: () => server.stop(true),
  };
}

function packument(name: string, entry: FixturePackage, origin: string): unknown {
  const base = name.slice(name.lastIndexOf("/") + 1);
  const list = Object.keys(entry.versions);
  const versions = Object.fromEntries(
    Object.entries(entry.versions).map(([version, manifest]) => [
      version,
      {
        ...manifest,
        name,
        version,
        dist: {
          tarball: `${origin}/${name}/-/${base}-${version}.tgz`,
          integrity: `sha512-${createHash("sha512").update(`${name}@${version}`).digest("base64")}`,
        },
      },
    ]),
  );
  const time = Object.fromEntries(
    list.map((version) => [version, entry.time?.[version] ?? "2020-01-01T00:00:00.000Z"]),
  );
  return { name, "dist-tags": { latest: list.at(-1), ...entry.tags }, versions, time };
}

/** Runs `use` with a new private directory and removes it afterwards. */
export async function withTemp<T>(use: (directory: string) => Promise<T>): Promise<T> {
  const directory = makeTemp("csp-resolve-");
  try {
    return await use(directory);
  } finally {
    removeTree(directory);
  }
}

/** Plain dependencies as roots. */
export function rootsOf(
  dependencies: Record<string, string>,
  optionalDependencies: Record<string, string> = {},
): Roots {
  return { dependencies, optionalDependencies };
}

/** Resolves against the registry with everything else at its simplest; `more` overrides. */
export function resolveWith(
  registry: Pick<FixtureRegistry, "url">,
  roots: Roots,
  more: Partial<ResolveRequest> = {},
): Promise<Resolution> {
  return withTemp(async (directory) => {
    const scratch = join(directory, "scratch");
    mkdirSync(scratch, { mode: 0o700 });
    return await resolve({
      roots,
      previous: undefined,
      npm: { npmrc: `registry=${registry.url}\n`, env: {} },
      bun: process.execPath,
      scratch,
      timeoutMs: 60_000,
      ...more,
    });
  });
}

/** The lockfile's text; throws, with the failures, where there is none. */
export function lockOf(resolution: Resolution): string {
  if (resolution.kind === "failed") throw new Error(JSON.stringify(resolution.failures));
  return resolution.lock;
}
