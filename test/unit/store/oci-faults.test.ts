/** Whatever answers in the place of a registry: an end in time, a clear error, and no credentials elsewhere. */
import { afterAll, describe, expect, test } from "bun:test";
import { isCspError } from "../../../src/core/errors.ts";
import type { Store } from "../../../src/store/store.ts";
import { type FaultServer, faults, reply } from "../../support/fault-server.ts";
import { bytesOf, codeOf, expectSame, listed, newKey } from "./objects.ts";
import { basic, createFakes, digestOf, json, refusal, secret } from "./oci-fakes.ts";
import { openAt } from "./oci-fixture.ts";

const bytes = bytesOf(300, 1);
const { start, open, stop } = createFakes();
afterAll(stop);

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
