/** Repositories whose contents are made to mislead: nothing is believed that does not fit. */
import { afterAll, describe, expect, test } from "bun:test";
import { manifestsOf } from "../../../src/store/oci/release.ts";
import { type Fault, reply } from "../../support/fault-server.ts";
import { bytesOf, codeOf, listed, newKey } from "./objects.ts";
import { createFakes, digestOf, json, refusal } from "./oci-fakes.ts";
import { openAt } from "./oci-fixture.ts";

const manifestType = "application/vnd.oci.image.manifest.v1+json";
const bytes = bytesOf(300, 1);
const { start, open, stop } = createFakes();
afterAll(stop);

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

  test("is listed again where something moved meanwhile", async () => {
    const key = await newKey(open(await serve(root)), bytes);
    const layers = [
      { ...layer, digest: `sha256:${key.split(".")[1]}`, size: 300, annotations: { "vnd.csp.key": key } },
    ];
    const release = { ...root, artifactType: "application/vnd.csp.release.v1", layers };
    const server = await start(({ path, before }) => {
      if (path.includes("/manifests/csp-blobs-")) return refusal(404, "MANIFEST_UNKNOWN");
      if (path.includes("/manifests/")) return reply(200, JSON.stringify(release));
      const tag = before === 0 ? `csp-blobs-${"a".repeat(32)}` : `csp-object-${"b".repeat(64)}`;
      return reply(200, JSON.stringify({ tags: [tag] }), json);
    });
    expect(await listed(open(server))).toEqual(new Map([[key, 300]]));
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
