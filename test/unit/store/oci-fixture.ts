/** Stores in registries for tests: clients, releases, and a gate in front of a registry. */
import { parseLockfile } from "../../../src/core/lockfile.ts";
import { type LockfileHash, lockfileHash } from "../../../src/core/lockfile-hash.ts";
import { lockfileText } from "../../../src/core/lockfile-layout.ts";
import { formatReleaseObject } from "../../../src/core/release.ts";
import { type StoreKey, storeKey } from "../../../src/core/store-key.ts";
import { type OciTuning, openOciStore } from "../../../src/store/oci.ts";
import type { Store, StoreOptions } from "../../../src/store/store.ts";
import { bytesOf, digestOf, newKey } from "./objects.ts";

/** A client that knows nothing of this machine's own credentials. */
export function openAt(
  address: string,
  env: StoreOptions["env"] = {},
  tuning: OciTuning = { settleMs: 5 },
  more: Partial<StoreOptions> = {},
): Store {
  return openOciStore(address, { env, home: undefined, userAgent: "csp/test", ...more }, tuning);
}

export interface TestRelease {
  hash: LockfileHash;
  key: StoreKey;
  bytes: Uint8Array;
  /** Key and bytes of each of its packages, by `name-version.tgz`. */
  blobs: ReadonlyMap<string, { key: StoreKey; bytes: Uint8Array }>;
}

/** A release of packages whose bytes depend on their name alone; nothing is put. */
export async function releaseOf(store: Store, names: readonly string[]): Promise<TestRelease> {
  const blobs = new Map<string, { key: StoreKey; bytes: Uint8Array }>();
  const packages: Record<string, [string, string, Record<string, never>, string]> = {};
  for (const name of names) {
    const bytes = bytesOf(200 + name.length, Bun.hash.crc32(name) % 10_000);
    const integrity = `sha512-${Buffer.from(digestOf(bytes), "hex").toString("base64")}`;
    packages[name] = [`${name}@1.0.0`, "", {}, integrity];
    blobs.set(`${name}-1.0.0.tgz`, { key: await newKey(store, bytes), bytes });
  }
  const lockfile = lockfileText({
    lockfileVersion: 2,
    workspaces: { "": { name: "script-packages", dependencies: Object.fromEntries(names.map((name) => [name, "*"])) } },
    packages,
    csp: { version: 1, linker: "isolated", packages: {} },
  });
  const hash = lockfileHash(parseLockfile(lockfile, "test.lock"));
  const entries = [...blobs.values()].map(({ key, bytes }) => [digestOf(bytes), { key, size: bytes.length }] as const);
  const sorted = new Map(entries.sort(([one], [other]) => (one < other ? -1 : 1)));
  const bytes = new TextEncoder().encode(formatReleaseObject({ hash, lockfile, platforms: [], blobs: sorted }));
  const nonce = await store.nonce(async () => bytes);
  return { hash, key: storeKey({ kind: "releases", digest: digestOf(bytes), nonce }), bytes, blobs };
}

/** Puts the blobs, then the release. */
export async function putRelease(store: Store, release: TestRelease): Promise<void> {
  await Promise.all([...release.blobs.values()].map(({ key, bytes }) => store.blobs.put(key, bytes)));
  await store.blobs.put(release.key, release.bytes);
}

export interface Gate {
  host: string;
  readonly seen: readonly string[];
  stop(): void;
}

/** Hands requests to a registry, after `before` is done with each; an answer of its own is the request's. */
export function startGate(
  registry: string,
  before: (request: string) => Promise<Response | undefined> | Response | undefined,
): Gate {
  const seen: string[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      const name = `${request.method} ${pathname}`;
      seen.push(name);
      const own = await before(name);
      if (own !== undefined) return own;
      const headers = new Headers(request.headers);
      headers.set("host", registry);
      const body = new Uint8Array(await request.arrayBuffer());
      return fetch(`http://${registry}${pathname}${search}`, {
        method: request.method,
        headers,
        redirect: "manual",
        decompress: false,
        ...(request.method === "GET" || request.method === "HEAD" ? {} : { body }),
      } as RequestInit);
    },
  });
  return {
    host: `127.0.0.1:${server.port}`,
    seen,
    stop() {
      void server.stop(true);
    },
  };
}
