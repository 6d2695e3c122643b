/** What a store in a real registry promises beyond the contract: its collection, and other tools. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { RootState, Store } from "../../../src/store/store.ts";
import { hasRegistry, type Registry, startRegistry } from "../../support/servers/docker-registry.ts";
import { bytesOf, expectSame, listed, newKey, putNew } from "./objects.ts";
import { openAt, putRelease, releaseOf } from "./oci-fixture.ts";

const accept = { accept: "application/vnd.oci.image.manifest.v1+json" };
let registry: Registry;

/** `http://host/v2/repository`, as any other tool would ask. */
function urlOf(address: string): string {
  const [, host, repository] = /^oci:\/\/([^/]+)\/(.+)$/.exec(address) ?? [];
  return `http://${host}/v2/${repository}`;
}

async function tagsOf(address: string): Promise<string[]> {
  const answer = await fetch(`${urlOf(address)}/tags/list`);
  const { tags } = (await answer.json()) as { tags?: string[] | null };
  return [...(tags ?? [])].sort();
}

/** The kinds of tags, without what is random in them. */
async function kindsOf(address: string): Promise<string[]> {
  const kinds = (await tagsOf(address)).map((tag) => tag.replace(/[0-9a-f]{32,64}/, "*"));
  return [...new Set(kinds)].sort();
}

async function textOf(store: Store): Promise<string | undefined> {
  return ((await store.root.read()) as RootState | undefined)?.text;
}

if (hasRegistry()) {
  beforeAll(async () => {
    registry = await startRegistry();
  });
  afterAll(() => registry.stop());
  describe("a release in a registry", releases);
  describe("a registry's collection", collections);
  describe("a registry that deletes nothing", undeletable);
} else {
  test.skip("stores in a real registry (needs docker-registry)", () => {});
}

function releases(): void {
  test("is pulled by whoever follows manifest and layers", async () => {
    const address = registry.newAddress();
    const store = openAt(address);
    const release = await releaseOf(store, ["leftpad", "@acme/tools"]);
    await putRelease(store, release);

    const answer = await fetch(`${urlOf(address)}/manifests/release-${release.hash}`, { headers: accept });
    expect(answer.headers.get("content-type")).toBe(accept.accept);
    const manifest = (await answer.json()) as {
      artifactType: string;
      config: { digest: string; size: number };
      layers: { digest: string; size: number; mediaType: string; annotations: Record<string, string> }[];
    };
    expect(manifest.artifactType).toBe("application/vnd.csp.release.v1");
    const files = new Map<string, Uint8Array>();
    for (const { digest, size, annotations } of [...manifest.layers, { ...manifest.config, annotations: undefined }]) {
      const bytes = new Uint8Array(await (await fetch(`${urlOf(address)}/blobs/${digest}`)).arrayBuffer());
      expect(bytes.length).toBe(size);
      expect(`sha256:${new Bun.CryptoHasher("sha256").update(bytes).digest("hex")}`).toBe(digest);
      if (annotations) files.set(annotations["org.opencontainers.image.title"] ?? "", bytes);
    }
    expect([...files.keys()].sort()).toEqual(["@acme/tools-1.0.0.tgz", "leftpad-1.0.0.tgz", "release.json"]);
    for (const [name, { bytes }] of release.blobs) expectSame(files.get(name) as Uint8Array, bytes);
    expectSame(files.get("release.json") as Uint8Array, release.bytes);
  });

  test("leaves no tags but its own, lists everything once, and goes when it is deleted", async () => {
    const address = registry.newAddress();
    const store = openAt(address);
    const release = await releaseOf(store, ["a", "b", "c"]);
    await putRelease(store, release);
    expect(await kindsOf(address)).toEqual(["csp-object-*", "release-*"]);
    expect(new Set((await listed(store)).keys())).toEqual(
      new Set([release.key, ...[...release.blobs.values()].map(({ key }) => key)]),
    );
    await store.blobs.delete(release.key);
    expect(await tagsOf(address)).toEqual([]);
    expect(await listed(store)).toEqual(new Map());
    await store.blobs.put(release.key, release.bytes);
    expect(await store.blobs.size(release.key)).toBe(release.bytes.length);
  });

  test("that a second one of the same lockfile follows stays until it is deleted", async () => {
    const address = registry.newAddress();
    const store = openAt(address);
    const one = await releaseOf(store, ["a", "b"]);
    await putRelease(store, one);
    const text = new TextDecoder().decode(one.bytes).replace('"platforms":[]', '"platforms":["linux-x64"]');
    const bytes = new TextEncoder().encode(text);
    const other = await newKey(store, bytes, "releases");
    await store.blobs.put(other, bytes);
    await store.blobs.delete(one.key);
    expect([...(await listed(store)).keys()].filter((key) => key.startsWith("releases/"))).toEqual([other]);
    expect(await kindsOf(address)).toEqual(["csp-object-*", "release-*"]);
  });

  test("of blobs that are not there is refused with their names, and fits once they are", async () => {
    const store = openAt(registry.newAddress());
    const release = await releaseOf(store, ["a", "b", "c"]);
    const [a, b, c] = [...release.blobs.values()];
    if (!a || !b || !c) throw new Error("three blobs");
    await store.blobs.put(b.key, b.bytes);
    const attempt = store.blobs.put(release.key, release.bytes);
    await expect(attempt).rejects.toMatchObject({
      code: "CSP_STORE_MISSING",
      data: { keys: [a.key, c.key].sort() },
    });
    expect(await store.blobs.size(release.key)).toBeUndefined();
    await putRelease(store, release);
    expect(await store.blobs.size(release.key)).toBe(release.bytes.length);
  });
}

function collections(): void {
  test("takes nothing that a release, the root or an unfinished publication refers to, and the rest", async () => {
    const address = registry.newAddress();
    const store = openAt(address);
    const [kept, dropped] = [await releaseOf(store, ["a", "b", "c"]), await releaseOf(store, ["c", "d"])];
    await putRelease(store, kept);
    await putRelease(store, dropped);
    const unfinished = await putNew(store, bytesOf(300, 77));
    let version = await store.root.swap(undefined, '{"first":true}');
    version = await store.root.swap(version, '{"second":true}');
    await store.blobs.delete(dropped.key);
    registry.collect();

    const next = openAt(address);
    for (const { key, bytes } of kept.blobs.values()) {
      expectSame(await next.blobs.get(key, { maxBytes: 1000 }), bytes);
    }
    expectSame(await next.blobs.get(kept.key, { maxBytes: 1 << 20 }), kept.bytes);
    expect(await next.blobs.size(unfinished)).toBe(300);
    expect(await next.root.read()).toEqual({ version: version as string, text: '{"second":true}' });
    expect((await listed(next)).size).toBe(5);
    const gone = dropped.blobs.get("d-1.0.0.tgz")?.key as string;
    expect(await next.blobs.size(gone)).toBeUndefined();
    expect(await next.blobs.size(dropped.key)).toBeUndefined();
    // Nobody keeps it any more: neither it nor its manifest.
    await next.blobs.delete(unfinished);
    expect((await listed(next)).size).toBe(4);
    registry.collect();
    expect(await next.blobs.size(unfinished)).toBeUndefined();
  });

  test("is not believed to have spared what the registry remembers", async () => {
    const address = registry.newAddress();
    const store = openAt(address);
    const bytes = bytesOf(5000, 78);
    const key = await putNew(store, bytes);
    await store.blobs.delete(key);
    registry.collect();
    const digest = `sha256:${key.split(".")[1]}`;
    // This is why: the registry says that it is there.
    expect((await fetch(`${urlOf(address)}/blobs/${digest}`, { method: "HEAD" })).status).toBe(200);
    expect(await store.blobs.size(key)).toBeUndefined();
    await store.blobs.put(key, bytes);
    expectSame(await openAt(address).blobs.get(key, { maxBytes: 5000 }), bytes);
  });

  test("of old roots leaves the last ones, and all that is needed to go on", async () => {
    const address = registry.newAddress();
    const store = openAt(address, {}, { settleMs: 0 });
    let version: string | undefined;
    for (let n = 1; n <= 20; n++) version = await store.root.swap(version, `{"n":${n}}`);
    registry.collect();
    expect(await textOf(openAt(address))).toBe('{"n":20}');
    const generations = (await tagsOf(address)).filter((tag) => tag.startsWith("csp-generation-"));
    expect(generations).toHaveLength(16);
    expect(await openAt(address).root.swap(version, "{}")).toBeDefined();
  });
}

function undeletable(): void {
  test("takes tags away from what is deleted, and says so", async () => {
    const server = await startRegistry({ deletes: false });
    try {
      const address = server.newAddress();
      const store = openAt(address);
      const { writers: kept, why } = await store.capabilities();
      expect(kept).toBe("one");
      expect(why).toContain("cannot be deleted");
      const [one, other] = [await releaseOf(store, ["a", "b"]), await releaseOf(store, ["b", "c"])];
      await putRelease(store, one);
      await putRelease(store, other);
      const unfinished = await putNew(store, bytesOf(30, 5));
      await store.blobs.delete(one.key);
      await openAt(address).blobs.delete(unfinished);
      expect(new Set((await listed(openAt(address))).keys())).toEqual(
        new Set([other.key, ...[...other.blobs.values()].map(({ key }) => key)]),
      );
      await store.blobs.put(one.key, one.bytes);
      expect(await openAt(address).blobs.size(one.key)).toBe(one.bytes.length);
    } finally {
      await server.stop();
    }
  });
}
