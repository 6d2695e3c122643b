/** Stores in a bucket of a real S3 service: Ceph's gateway. */
import { beforeAll, describe, expect, test } from "bun:test";
import { openS3Store } from "../../../src/store/s3.ts";
import type { Store } from "../../../src/store/store.ts";
import { type CephServer, hasCeph, sharedCeph } from "../../support/servers/ceph.ts";
import { conformance } from "./conformance.ts";
import { bytesOf, codeOf, newKey, putNew } from "./objects.ts";

let ceph: CephServer;
let bucket: string;
let folders = 0;

if (hasCeph()) {
  beforeAll(async () => {
    ceph = await sharedCeph();
    bucket = await ceph.createBucket();
  }, 120_000);

  conformance("s3 (Ceph)", async ({ pageSize }) => {
    const address = `s3://${bucket}/store ${++folders}`.replace(" ", "-");
    const open = async (): Promise<Store> => openS3Store(address, options(), pageSize);
    return {
      store: await open(),
      reopen: open,
      async litter() {
        // Another client, for names that this one cannot make.
        const other = new Bun.S3Client({ ...ceph, bucket });
        const hex = "a".repeat(128);
        for (const name of [
          "blobs/readme",
          `blobs/${hex}`,
          `blobs/x y+é&<>/${hex}.${"b".repeat(32)}`,
          "blobs/%2e%2e",
        ]) {
          await other.write(`${address.split("/").pop()}/${name}`, "litter");
        }
        await other.write(`blobs/${hex}.${"b".repeat(32)}`, "outside of the prefix");
      },
      async close() {},
    };
  });

  describe("s3 (Ceph)", realCases);
} else {
  test.skip("s3 against Ceph (needs ceph)", () => {});
}

function options(env: Record<string, string> = {}) {
  return { env: { ...ceph.env, AWS_EC2_METADATA_DISABLED: "true", ...env }, home: undefined, userAgent: "csp/test" };
}

function realCases(): void {
  test("a store at the top of its bucket", async () => {
    const store = openS3Store(`s3://${await ceph.createBucket()}`, options());
    const key = await putNew(store, bytesOf(100, 1));
    expect((await store.blobs.get(key, { maxBytes: 100 })).byteLength).toBe(100);
    expect(await store.root.swap(undefined, "{}")).toBe("1");
    for await (const page of store.blobs.list())
      expect(page.map((object) => object.key)).toEqual(page.length ? [key] : []);
  });

  test("every allowed character of a prefix", async () => {
    const store = openS3Store(`s3://${bucket}/a!_.'()@=+,:~-Z/b`, options());
    const key = await putNew(store, bytesOf(10, 2));
    expect(await store.blobs.size(key)).toBe(10);
    const keys: string[] = [];
    for await (const page of store.blobs.list()) keys.push(...page.map((object) => object.key));
    expect(keys).toEqual([key]);
  });

  test("a missing bucket is no missing object, by any request", async () => {
    const store = openS3Store("s3://csp-not-there/x", options());
    const key = await newKey(store, bytesOf(10, 3));
    expect(await codeOf(store.blobs.size(key))).toBe("CSP_STORE_ADDRESS");
    expect(await codeOf(store.blobs.get(key, { maxBytes: 10 }))).toBe("CSP_STORE_ADDRESS");
    expect(await codeOf(store.blobs.put(key, bytesOf(10, 3)))).toBe("CSP_STORE_ADDRESS");
    expect(await codeOf(store.blobs.delete(key))).toBe("CSP_STORE_ADDRESS");
    expect(await codeOf(store.root.read())).toBe("CSP_STORE_ADDRESS");
    expect(await codeOf(store.root.read("3"))).toBe("CSP_STORE_ADDRESS");
    expect(await codeOf(store.capabilities())).toBe("CSP_STORE_ADDRESS");
    await expect(store.root.read()).rejects.toThrow("has no bucket `csp-not-there`");
  });

  test("wrong credentials are refused, and not shown", async () => {
    for (const env of [{ AWS_SECRET_ACCESS_KEY: "wrong-s3cret" }, { AWS_ACCESS_KEY_ID: "nobody" }]) {
      const store = openS3Store(`s3://${bucket}/x`, options(env));
      const key = await newKey(store, bytesOf(10, 4));
      for (const attempt of [() => store.blobs.size(key), () => store.root.read(), () => store.root.read("1")]) {
        const error = await attempt().catch((problem: unknown) => problem as Error & { hint: string; code: string });
        expect(error).toMatchObject({ code: "CSP_STORE_DENIED" });
        expect(JSON.stringify([error, String(error), (error as { hint: string }).hint])).not.toMatch(/s3cret|nobody/);
      }
    }
  });

  test("the probe leaves nothing behind", async () => {
    const store = openS3Store(`s3://${bucket}/probed`, options());
    expect(await store.capabilities()).toEqual({ writers: "many" });
    const listing = await new Bun.S3Client({ ...ceph, bucket }).list({ prefix: "probed/" });
    expect(listing.contents ?? []).toEqual([]);
  });

  test("bytes that change on the way are refused by the service", async () => {
    using proxy = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      async fetch(request) {
        const body = new Uint8Array(await request.arrayBuffer());
        if (request.method === "PUT" && body.length > 0) body[0] = (body[0] ?? 0) ^ 1;
        const url = new URL(request.url);
        const headers = new Headers(request.headers);
        headers.set("host", request.headers.get("host") ?? "");
        return fetch(`${ceph.endpoint}${url.pathname}${url.search}`, {
          method: request.method,
          headers,
          ...(body.length > 0 ? { body } : {}),
        });
      },
    });
    const store = openS3Store(
      `s3://${bucket}/flipped`,
      options({ AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${proxy.port}` }),
    );
    const bytes = bytesOf(1000, 5);
    const key = await newKey(store, bytes);
    expect(await codeOf(store.blobs.put(key, bytes))).toBe("CSP_STORE_ANSWER");
    expect(await openS3Store(`s3://${bucket}/flipped`, options()).blobs.size(key)).toBeUndefined();
  });
}
