/** The policies of docs/stores/s3.md, tried at a real service: each role can do its work, and no more. */
import { beforeAll, expect, test } from "bun:test";
import { signedHeaders } from "../../../src/store/s3/sign.ts";
import { openS3Store } from "../../../src/store/s3.ts";
import type { Store } from "../../../src/store/store.ts";
import { type CephServer, hasCeph, sharedCeph } from "../../support/servers/ceph.ts";
import { readPage } from "../docs/page.ts";
import { bytesOf, codeOf, listed, newKey, putNew } from "./objects.ts";

const roles = ["reader", "publisher", "collector"] as const;
type Role = (typeof roles)[number];

interface Statement {
  Effect: string;
  Action: string[];
  Resource: string[];
}

/** In the order of the page. */
const policies = [...readPage("docs/stores/s3.md").matchAll(/```json\n([\s\S]*?)```/g)].map(
  ([, text = ""]) => (JSON.parse(text) as { Statement: Statement[] }).Statement,
);

let ceph: CephServer;
let bucket: string;

async function prepare(): Promise<void> {
  ceph = await sharedCeph();
  bucket = await ceph.createBucket();
  const statements = roles.flatMap((role, index) => {
    ceph.admin("user", "create", `--uid=${role}`, "--display-name=x", `--access-key=${role}`, "--secret-key=secret");
    return (policies[index] ?? []).map((statement) => ({
      ...statement,
      Resource: statement.Resource.map((name) => name.replace("script-packages", bucket)),
      Principal: { AWS: [`arn:aws:iam:::user/${role}`] },
    }));
  });
  const url = new URL(`${ceph.endpoint}/${bucket}?policy`);
  const body = new TextEncoder().encode(JSON.stringify({ Version: "2012-10-17", Statement: statements }));
  const scope = { region: "us-east-1", service: "s3", at: Date.now() } as const;
  const headers = signedHeaders({ method: "PUT", url, headers: {}, body }, ceph, scope);
  const { status } = await fetch(url, { method: "PUT", headers, body });
  expect(status).toBeLessThan(300);
}

function open(as?: Role, prefix = "prod"): Store {
  const keys = as === undefined ? {} : { AWS_ACCESS_KEY_ID: as, AWS_SECRET_ACCESS_KEY: "secret" };
  const env = { ...ceph.env, ...keys, AWS_EC2_METADATA_DISABLED: "true" };
  return openS3Store(`s3://${bucket}/${prefix}`, { env, home: undefined, userAgent: "csp/test" });
}

const denied = "CSP_STORE_DENIED";

if (!hasCeph()) test.skip("the policies of S3 (needs ceph)", () => {});
else {
  beforeAll(prepare, 120_000);

  test("there is one for each role", () => {
    expect(policies).toHaveLength(roles.length);
  });

  test("a publisher adds objects and roots, and deletes nothing but its probe", async () => {
    const store = open("publisher");
    expect(await store.root.read()).toBeUndefined();
    expect(await store.capabilities()).toEqual({ writers: "many" });
    const before = await store.root.read();
    const version = typeof before === "object" ? before.version : undefined;
    const next = await store.root.swap(version, "{}");
    expect(await store.root.read(next)).toBe("unchanged");
    const key = await putNew(store, bytesOf(10, 1));
    const release = await putNew(store, bytesOf(10, 2), "releases");
    expect(await store.blobs.size(await newKey(store, bytesOf(10, 3)))).toBeUndefined();
    expect([...(await listed(store)).keys()]).toEqual([key, release]);
    expect(await codeOf(store.blobs.delete(key))).toBe(denied);
    expect(await codeOf(putNew(open("publisher", "other"), bytesOf(10, 1)))).toBe(denied);
    const left = await new Bun.S3Client({ ...ceph, bucket }).list({ prefix: "prod/probe/" });
    expect(left.contents ?? []).toEqual([]);
  });

  test("a reader reads, is told that nothing is new, and writes nothing", async () => {
    const key = await putNew(open(), bytesOf(10, 4));
    const state = await open("publisher").root.read();
    const store = open("reader");
    expect(await store.root.read()).toEqual(state);
    expect(await store.root.read("1000")).toBe("unchanged");
    expect(await store.blobs.get(key, { maxBytes: 10 })).toEqual(bytesOf(10, 4));
    expect(await store.blobs.size(await newKey(store, bytesOf(10, 5)))).toBeUndefined();
    expect(await store.capabilities()).toMatchObject({ writers: "none" });
    expect(await codeOf(putNew(store, bytesOf(10, 4)))).toBe(denied);
    expect(await codeOf(store.blobs.delete(key))).toBe(denied);
  });

  test("a collector deletes objects and changes the root, and adds none", async () => {
    const [blob, release] = [await putNew(open(), bytesOf(10, 6)), await putNew(open(), bytesOf(10, 7), "releases")];
    const store = open("collector");
    expect((await listed(store)).has(blob)).toBe(true);
    const state = await store.root.read();
    const version = typeof state === "object" ? state.version : undefined;
    expect(await store.root.swap(version, "{}")).toBe(String(Number(version ?? 0) + 1));
    await store.blobs.delete(blob);
    await store.blobs.delete(release);
    expect((await listed(store)).has(blob)).toBe(false);
    expect(await codeOf(putNew(store, bytesOf(10, 6)))).toBe(denied);
    const left = await new Bun.S3Client({ ...ceph, bucket }).list({ prefix: "prod/probe/" });
    expect(left.contents ?? []).toEqual([]);
  });

  test("without the right to list, an absent object cannot be told from a forbidden one", async () => {
    ceph.admin("user", "create", "--uid=blind", "--display-name=x", "--access-key=blind", "--secret-key=secret");
    const env = { ...ceph.env, AWS_ACCESS_KEY_ID: "blind", AWS_SECRET_ACCESS_KEY: "secret" };
    const store = openS3Store(`s3://${bucket}/prod`, { env, home: undefined, userAgent: "csp/test" });
    const error = await store.root.read("1000").catch((problem: unknown) => problem);
    expect(error).toMatchObject({ code: denied, hint: expect.stringContaining("s3:ListBucket") });
  });
}
