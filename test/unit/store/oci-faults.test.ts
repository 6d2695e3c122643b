/** Whatever answers in the place of a registry: an end in time, a clear error, no wrong bytes, and no credentials elsewhere. */
import { afterAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { isCspError } from "../../../src/core/errors.ts";
import { manifestsOf } from "../../../src/store/oci-release.ts";
import type { Store } from "../../../src/store/store.ts";
import { verified } from "../../../src/store/verified.ts";
import {
  type Fault,
  type FaultServer,
  faults,
  type RawRequest,
  reply,
  startFaultServer,
} from "../../support/fault-server.ts";
import { makeTemp, removeTree } from "../../support/temp.ts";
import { bytesOf, codeOf, expectSame, listed, newKey } from "./objects.ts";
import { openAt } from "./oci-fixture.ts";

const secret = "a-passw0rd-that-nobody-may-see";
const basic = `Basic ${btoa(`someone:${secret}`)}`;
const bytes = bytesOf(300, 1);
const json = { "content-type": "application/json" };
const manifestType = "application/vnd.oci.image.manifest.v1+json";
const running: FaultServer[] = [];
const folder = makeTemp();
let files = 0;

afterAll(() => {
  for (const server of running) server.stop();
  removeTree(folder);
});

async function start(answer: (request: RawRequest) => Fault): Promise<FaultServer> {
  const server = await startFaultServer(answer);
  running.push(server);
  return server;
}

/** A client with a password for that server. */
function open(server: FaultServer, parameters = ""): Store {
  const path = join(folder, `${++files}.json`);
  writeFileSync(path, JSON.stringify({ auths: { [new URL(server.url).host]: { auth: basic.slice(6) } } }));
  const address = `${server.url.replace("http:", "oci:")}/team/x${parameters}`;
  const timeouts = { idleMs: 150, totalMs: 600 };
  return verified(openAt(address, { REGISTRY_AUTH_FILE: path }, { settleMs: 1 }, { timeouts }));
}

function refusal(status: number, code: string, headers: Record<string, string> = {}): Fault {
  return reply(status, JSON.stringify({ errors: [{ code, message: "\u001b[31mforeign" }] }), { ...json, ...headers });
}

function digestOf(text: string | Uint8Array): string {
  return `sha256:${new Bun.CryptoHasher("sha256").update(text).digest("hex")}`;
}

/** Every kind of request once. */
async function allRequests(store: Store): Promise<Record<string, () => Promise<unknown>>> {
  const [key, release] = [await newKey(store, bytes), await newKey(store, bytes, "releases")];
  return {
    size: () => store.blobs.size(key),
    get: () => store.blobs.get(key, { maxBytes: 1000 }),
    put: () => store.blobs.put(key, bytes),
    "put a release": () => store.blobs.put(release, bytes),
    delete: () => store.blobs.delete(key),
    "delete a release": () => store.blobs.delete(release),
    list: () => listed(store),
    "read the root": () => store.root.read(),
    "read it again": () => store.root.read(digestOf("x")),
    "swap it": () => store.root.swap(digestOf("x"), "{}"),
    capabilities: () => store.capabilities(),
  };
}

const codes = ["CSP_STORE_UNREACHABLE", "CSP_STORE_ANSWER", "CSP_STORE_CORRUPT"];
/** What a request may also end with: what was announced and did not come is not there; and right bytes are right. */
function isHarmless(what: string, outcome: unknown): boolean {
  if (what === "size") return outcome === undefined || typeof outcome === "number";
  return what === "get" && outcome instanceof Uint8Array && Buffer.compare(outcome, bytes) === 0;
}

describe("a server that", () => {
  for (const [name, fault] of Object.entries(faults)) {
    test.concurrent(`${name}: everything fails in time and says so`, async () => {
      const spoiled = fault(bytes, json);
      const requests = await allRequests(open(await start(() => spoiled)));
      await Promise.all(
        Object.entries(requests).map(async ([what, request]) => {
          const begun = performance.now();
          const outcome = await request().then(
            (value) => value,
            (error: unknown) => error,
          );
          expect(performance.now() - begun).toBeLessThan(8000);
          expect(JSON.stringify([outcome, String(outcome)])).not.toContain(secret);
          if (isHarmless(what, outcome)) return;
          const code = isCspError(outcome) ? outcome.code : String(outcome);
          expect([name, what, codes.includes(code) ? "an error" : code]).toEqual([name, what, "an error"]);
        }),
      );
    });
  }

  test.each([
    [
      "is a web server without such a page",
      reply(404, "not found", { "content-type": "text/plain" }),
      "CSP_STORE_ANSWER",
    ],
    ["shows a page to sign in", reply(200, "<html>", { "content-type": "text/html" }), "CSP_STORE_ANSWER"],
    ["is broken", refusal(500, "UNKNOWN"), "CSP_STORE_UNREACHABLE"],
    ["forbids it", refusal(403, "DENIED"), "CSP_STORE_DENIED"],
    [
      "wants a login of another kind",
      refusal(401, "UNAUTHORIZED", { "www-authenticate": "Negotiate" }),
      "CSP_STORE_DENIED",
    ],
    [
      "wants a password again and again",
      refusal(401, "UNAUTHORIZED", { "www-authenticate": "Basic" }),
      "CSP_STORE_DENIED",
    ],
    ["has a proxy in front", reply(407), "CSP_STORE_UNREACHABLE"],
    ["redirects in a circle", reply(307, "", { location: "/v2/team/x/manifests/csp-root" }), "CSP_STORE_ANSWER"],
  ])("%s is no store without a root", async (_, fault, code) => {
    const store = open(await start(() => fault));
    expect(await codeOf(store.root.read())).toBe(code);
    expect(await codeOf(store.root.read(digestOf("x")))).toBe(code);
  });

  test("has too much to do is left alone for as long as it says", async () => {
    const store = open(await start(() => refusal(429, "TOOMANYREQUESTS", { "retry-after": "7" })));
    for (const request of Object.values(await allRequests(store))) {
      const error = await request().catch((problem: unknown) => problem);
      expect(error).toMatchObject({ code: "CSP_STORE_UNREACHABLE", data: { retryAfterMs: 7000 } });
      expect(String(error)).not.toContain("foreign");
    }
  });

  test("has no such repository says so when it is written to", async () => {
    const store = open(await start(({ method }) => refusal(404, method === "POST" ? "NAME_UNKNOWN" : "BLOB_UNKNOWN")));
    expect(await codeOf(store.blobs.put(await newKey(store, bytes), bytes))).toBe("CSP_STORE_ADDRESS");
  });

  test("takes no pushes is a store to read", async () => {
    const store = open(await start(({ method }) => (method === "POST" ? refusal(405, "UNSUPPORTED") : reply(404))));
    expect(await store.capabilities()).toMatchObject({ writers: "none" });
    expect(await codeOf(store.blobs.put(await newKey(store, bytes), bytes))).toBe("CSP_STORE_READ_ONLY");
  });
});

describe("credentials", () => {
  test("do not follow blobs to another host", async () => {
    const content = await start(() => reply(200, bytes));
    const elsewhere = content.url.replace("127.0.0.1", "localhost");
    const server = await start(() => reply(307, "", { location: `${elsewhere}/b?signed=1` }));
    const store = open(server);
    expectSame(await store.blobs.get(await newKey(store, bytes), { maxBytes: 1000 }), bytes);
    expect(server.saw(basic)).not.toHaveLength(0);
    expect(content.seen).toHaveLength(1);
    expect(content.saw(basic)).toHaveLength(0);
  });

  test("and uploads go to no host that a registry just names", async () => {
    const other = await start(() => reply(201));
    const server = await start(({ method }) =>
      method === "POST"
        ? reply(202, "", { location: `${other.url.replace("127.0.0.1", "localhost")}/upload?x=1` })
        : refusal(404, "BLOB_UNKNOWN"),
    );
    const store = open(server);
    const attempt = store.blobs.put(await newKey(store, bytes), bytes);
    await expect(attempt).rejects.toThrow("wants uploads to be sent to `localhost:");
    expect(other.seen).toHaveLength(0);
  });

  test("are kept from a token service on another host, unless the address trusts it", async () => {
    const service = await start(() => reply(200, JSON.stringify({ token: "t0ken" }), json));
    const host = new URL(service.url).host.replace("127.0.0.1", "localhost");
    const server = await start(({ headers }) =>
      headers.authorization === "Bearer t0ken"
        ? refusal(404, "MANIFEST_UNKNOWN")
        : refusal(401, "UNAUTHORIZED", { "www-authenticate": `Bearer realm="http://${host}/t",service="s",scope="x"` }),
    );
    const error = await open(server)
      .root.read()
      .catch((problem: unknown) => problem);
    expect(error).toMatchObject({ code: "CSP_STORE_DENIED", hint: expect.stringContaining(`trust=${host}`) as never });
    expect(service.seen).toHaveLength(0);

    expect(await open(server, `?trust=${host}`).root.read()).toBeUndefined();
    expect(service.saw(basic)).toHaveLength(1);
    expect(service.seen[0]?.path).toBe("/t?service=s&scope=repository%3Ateam%2Fx%3Apull");
    // Who has none to lose may ask anywhere.
    expect(await openAt(`${server.url.replace("http:", "oci:")}/team/x`).root.read()).toBeUndefined();
    expect(service.seen).toHaveLength(2);
  });

  test("are no part of a token: odd tokens are refused, and those that end early are replaced", async () => {
    for (const body of [
      "{}",
      "[]",
      "null",
      "x",
      '{"token":"a\\nb: c"}',
      '{"token":""}',
      '{"token":7}',
      " ".repeat(1 << 19),
    ]) {
      const server: FaultServer = await start(({ path }) =>
        path.startsWith("/t?")
          ? reply(200, body, json)
          : refusal(401, "UNAUTHORIZED", { "www-authenticate": `Bearer realm="${server.url}/t"` }),
      );
      expect(["CSP_STORE_ANSWER", "CSP_STORE_UNREACHABLE"]).toContain(await codeOf(open(server).root.read()));
    }
    let serial = 0;
    const server: FaultServer = await start(({ path, headers }) => {
      if (path.startsWith("/t?")) return reply(200, JSON.stringify({ access_token: `t${++serial}` }), json);
      return headers.authorization === `Bearer t${serial}` && serial !== 1
        ? refusal(404, "MANIFEST_UNKNOWN")
        : refusal(401, "UNAUTHORIZED", { "www-authenticate": `Bearer realm="${server.url}/t"` });
    });
    const store = open(server);
    expect(await store.root.read()).toBeUndefined();
    serial++;
    expect(await store.root.read()).toBeUndefined();
    expect(serial).toBe(4);
  });
});

describe("a hostile repository", () => {
  const layer = { mediaType: "x", digest: digestOf("{}"), size: 2 };
  const root = {
    schemaVersion: 2,
    mediaType: manifestType,
    artifactType: "application/vnd.csp.root.v1",
    config: layer,
    layers: [layer],
    annotations: { "vnd.csp.generation": "1", "vnd.csp.previous": "" },
  };
  const serve = (manifest: unknown, blob: Fault = reply(200, "{}"), headers: Record<string, string> = {}) =>
    start(({ path }) =>
      path.includes("/manifests/")
        ? reply(200, typeof manifest === "string" ? manifest : JSON.stringify(manifest), {
            "content-type": manifestType,
            ...headers,
          })
        : blob,
    );

  test("has a root only where manifest and document are what they say", async () => {
    const good = open(await serve(root));
    const version = digestOf(JSON.stringify(root));
    expect(await good.root.read()).toEqual({ version, text: "{}" });
    expect(await good.root.read(version)).toBe("unchanged");
    expect(
      await open(await serve({ ...root, layers: [{ ...layer, urls: ["http://127.0.0.1:1/"] }] })).root.read(),
    ).toMatchObject({ text: "{}" });
  });

  test.each([
    ["another type", { ...root, mediaType: "application/vnd.docker.distribution.manifest.v2+json" }],
    ["somebody else's artifact", { ...root, artifactType: "application/vnd.example" }],
    ["a newer csp's artifact", { ...root, artifactType: "application/vnd.csp.root.v2" }],
    ["no layer", { ...root, layers: [] }],
    ["a layer of another algorithm", { ...root, layers: [{ ...layer, digest: "md5:x" }] }],
    ["a layer that leads elsewhere", { ...root, layers: [{ ...layer, digest: "sha256:../../../other" }] }],
    ["a generation that is none", { ...root, annotations: { "vnd.csp.generation": "-1" } }],
    ["no JSON", "{"],
    ["null", "null"],
    ["layers that are none", { ...root, layers: [null, 5, "x", []] }],
    ["annotations that are none", { ...root, annotations: 5 }],
  ])("with %s in the place of the root is refused for good", async (_, manifest) => {
    const error = await open(await serve(manifest))
      .root.read()
      .catch((problem: unknown) => problem);
    expect(error).toMatchObject({ code: "CSP_STORE_ANSWER", data: { lasting: true } });
  });

  test("with wrong digests and lengths is refused", async () => {
    const lying = await serve(root, reply(200, "{}"), { "docker-content-digest": digestOf("other") });
    expect(await codeOf(open(lying).root.read())).toBe("CSP_STORE_ANSWER");
    expect(await codeOf(open(await serve(root, reply(200, "[]"))).root.read())).toBe("CSP_STORE_ANSWER");
    const huge = { "content-length": "1000000000" };
    expect(await codeOf(open(await serve(root, reply(200, "{}", huge))).root.read())).toBe("CSP_STORE_ANSWER");
    expect(await codeOf(open(await serve(" ".repeat(5 << 20))).root.read())).toBe("CSP_STORE_ANSWER");
    expect(await codeOf(open(await serve(root, reply(404))).root.read())).toBe("CSP_STORE_ANSWER");
    const packed = reply(200, Bun.gzipSync("{}"), { "content-encoding": "gzip" });
    expect(await codeOf(open(await serve(root, packed)).root.read())).toBe("CSP_STORE_ANSWER");
  });

  test("lists nothing but keys that fit their layers, and each once", async () => {
    const clean = open(await serve(root));
    const [key, other] = [await newKey(clean, bytes), await newKey(clean, bytesOf(20, 2))];
    const digest = `sha256:${key.split(".")[1]}`;
    const entry = (name: string, more = {}) => ({
      ...layer,
      digest,
      size: 300,
      annotations: { "vnd.csp.key": name },
      ...more,
    });
    const layers = [
      entry(key),
      entry(key),
      entry(other),
      entry(`../${key}`),
      entry("root/1"),
      entry(key, { size: -1 }),
      entry(key, { size: 1.5 }),
      entry(key, { size: "300" }),
      entry(key.replace(/.$/, "\n")),
      { ...layer, annotations: { "vnd.csp.key": 5 } },
    ];
    const release = { ...root, artifactType: "application/vnd.csp.release.v1", layers };
    const tags = [
      "latest",
      `csp-object-${"a".repeat(64)}`,
      `csp-object-${"b".repeat(64)}.1`,
      "csp-object-../x",
      "csp-blobs-",
      5,
      null,
    ];
    const server = await start(({ path }) =>
      path.includes("/tags/")
        ? reply(200, JSON.stringify({ tags: [...tags, ...tags] }), json)
        : path.includes("/manifests/csp-")
          ? reply(200, JSON.stringify(release))
          : refusal(404, "MANIFEST_UNKNOWN"),
    );
    const found: string[] = [];
    for await (const page of open(server).blobs.list())
      found.push(...page.map((object) => `${object.key} ${object.size}`));
    expect(found).toEqual([`${key} 300`]);
    expect(server.seen.filter(({ path }) => path.includes("/manifests/"))).toHaveLength(2);
  });

  test("that lists in a circle, without end, elsewhere, or nothing comes to an end", async () => {
    const listing = (link: (page: number) => string) => {
      let pages = 0;
      return start(({ path }) =>
        path.includes("/tags/") && pages < 50
          ? reply(200, '{"tags":[]}', { ...json, link: link(++pages) })
          : reply(200, '{"tags":null}', json),
      );
    };
    const circle = await listing(() => '</v2/team/x/tags/list?last=a>; rel="next"');
    expect(await codeOf(listed(open(circle)))).toBe("CSP_STORE_ANSWER");
    const long = await listing((page) => `</v2/team/x/tags/list?last=${page}>; rel="next"`);
    expect(await listed(open(long))).toEqual(new Map());
    const elsewhere = await listing((page) => `<http://127.0.0.1:1/other?last=${page}>; rel=next`);
    expect(await listed(open(elsewhere))).toEqual(new Map());
    expect(elsewhere.seen.every(({ path }) => path.startsWith("/v2/team/x/tags/list?"))).toBe(true);
    for (const body of ["[]", "5", '{"tags":5}', "null", "{"]) {
      expect(await codeOf(listed(open(await start(() => reply(200, body, json)))))).toBe("CSP_STORE_ANSWER");
    }
  });

  test("that changes faster than it can be listed is not waited for", async () => {
    const server = await start(({ path, before }) =>
      path.includes("/tags/")
        ? reply(200, JSON.stringify({ tags: [`csp-blobs-${before.toString(16).padStart(32, "0")}`] }), json)
        : refusal(404, "MANIFEST_UNKNOWN"),
    );
    expect(await codeOf(listed(open(server)))).toBe("CSP_STORE_ANSWER");
  });
});

test("a release of more blobs than a manifest may hold is several manifests, the first with the object", async () => {
  const store = openAt("oci://registry.example.com/x");
  const blobs = new Map(
    await Promise.all(
      Array.from({ length: 24 }, async (_, n) => {
        const each = bytesOf(50, n + 1);
        const key = await newKey(store, each);
        return [key.slice(6, 134), { key, size: 50 }] as const;
      }),
    ),
  );
  const key = await newKey(store, bytes, "releases");
  const object = { hash: "a".repeat(64), lockfile: "", platforms: [], blobs };
  const parts = manifestsOf(key, bytes, object, 10);
  expect(parts.map(({ layers }) => layers.length)).toEqual([10, 10, 5]);
  expect(parts[0]?.layers[0]?.annotations).toEqual({
    "org.opencontainers.image.title": "release.json",
    "vnd.csp.key": key,
  });
  expect(parts.map(({ annotations }) => annotations["vnd.csp.parts"])).toEqual(["3", "3", "3"]);
});
